"""Makes the networks when the package is built, where they are not there yet."""

import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MakeNetworks(BuildHookInterface):
    """Hatch's hook for a build."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Make them in place, so that an editable install has them too."""
        if self.target_name != "wheel":
            return  # the source distribution makes them where it is built
        sys.path.insert(0, str(Path(self.root)))
        try:
            from make_networks.networks import FOLDER, are_made, make

            if not are_made():
                self.app.display_info("fetching the weights of the networks (114 MB)")
                make(FOLDER)
        finally:
            sys.path.pop(0)
