"""YourVoic's protocol: docs/dialects/yourvoic.md."""
