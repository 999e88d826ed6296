"""The console command: one subcommand a file."""
