#!/usr/bin/env python
"""The command line of the site: `manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")
    from django.core.exceptions import ImproperlyConfigured

    try:
        if sys.argv[1:] == ["up"]:
            up()
        else:
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"searchsite cannot start: {error}")


def up() -> None:
    """The command of that name, without setting up Django, which it has no use for."""
    from searchsite.up import CannotStart, up

    try:
        up()
    except CannotStart as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
