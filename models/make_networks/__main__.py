"""``python -m make_networks``: makes the networks anew and says what their hashes are."""

from make_networks.networks import FOLDER, make

if __name__ == "__main__":
    for name, sha256 in make(FOLDER, pinned=False).items():
        print(f'    "{name}": "{sha256}",')
