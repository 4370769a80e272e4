"""What surrounds the service: its CloudFormation stack, and a cloud on one machine."""
