"""Jobstores are killed and frozen while they archive, write checkpoints, remove and cut; nothing is lost or left."""
