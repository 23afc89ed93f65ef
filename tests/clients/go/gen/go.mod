module signoff.dev/api

go 1.26
