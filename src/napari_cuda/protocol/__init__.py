"""The wire protocol: pure, shared by server, desktop client and (as JSON vectors) the page."""
