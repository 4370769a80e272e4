"""The version of the client, in one place."""

VERSION = "1.0.0"
