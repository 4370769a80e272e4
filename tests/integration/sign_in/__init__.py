"""The limits of failed sign-ins and of registrations."""
