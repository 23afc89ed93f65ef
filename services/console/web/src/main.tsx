document.getElementById("root")?.replaceChildren("Signoff");
