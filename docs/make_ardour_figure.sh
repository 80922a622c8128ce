#!/usr/bin/env bash
# Draw docs/figures/ardour.png: Ardour itself, with a session that the action has checked.
#
# Needs ardour, xvfb, xdotool and imagemagick. Usage: docs/make_ardour_figure.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
export DISPLAY=:77 HOME=$work XDG_RUNTIME_DIR=$work MELODYSIM_LIBRARY=$work/library.db
MELODYSIM_COMMAND=$(python -c 'import shutil; print(shutil.which("melodysim"))')
export MELODYSIM_COMMAND

PYTHONPATH=tests python - "$work" <<'PY'
import sys
from pathlib import Path

from conftest import small_library
from test_ardour import HERE, SCRIPT, TICKS, host, protected, session

work = Path(sys.argv[1])
small_library(work / "library.db")
notes, _ = protected()
folder = session(work / "song", notes, 4 * TICKS, 0, round(notes[-1][1]) + 400)
print(host(HERE / "act.lua", folder, SCRIPT, 1))
PY

# Past the questions of a first start: the wizard, the web page, the choice of a device.
mkdir -p "$work/.config/ardour7" "$work/bin"
touch "$work/.config/ardour7/.a7"
echo '<Ardour><Config><Option name="hide-dummy-backend" value="0"/></Config></Ardour>' > "$work/.config/ardour7/config"
ln -s /bin/true "$work/bin/xdg-open"
Xvfb :77 -screen 0 1500x800x24 > /dev/null 2>&1 &
trap 'kill %1; rm -rf "$work"' EXIT
sleep 1
PATH=$work/bin:$PATH timeout 60 ardour -n "$work/song" > /dev/null 2>&1 &
sleep 9
xdotool mousemove 758 259 click 1 sleep 1 key End Up Return sleep 1 mousemove 970 561 click 1
sleep 20
import -window root -crop 1348x400+0+0 +repage docs/figures/ardour.png
