"""Find out what a server of models takes, keep its pace, and write and read the shapes of OpenAI's API."""
