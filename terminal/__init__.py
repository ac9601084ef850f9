"""What all commands share when they speak to a terminal: progress, and tables that fit. It knows no other room."""
