"""Walk every door with every credential: `make access`."""
