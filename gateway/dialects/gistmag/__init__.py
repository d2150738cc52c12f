"""GistMag's protocol."""
