"""The commands, a module for each; `localfirst.cli.app` names them."""
