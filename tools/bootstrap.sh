#!/bin/sh
# Finds a Python that is new enough and lets it set up .venv with one dependency group of pyproject.toml:
#     tools/bootstrap.sh demo|docs|test
# PYTHON=... names the interpreter to use. Everything after the choice is in tools/bootstrap.py.
set -eu

group=$1
tools=$(dirname -- "$0")
venv_python=$tools/../.venv/bin/python
is_new_enough='import sys; assert sys.version_info >= (3, 11)'

says_yes() { # interpreter, question
    "$1" -c "$2" >/dev/null 2>&1 </dev/null
}

version_of() { # interpreter
    "$1" --version 2>&1 </dev/null | head -n 1 | grep '^Python' || echo none
}

set_up_with() { # interpreter
    exec "$1" "$tools/bootstrap.py" "$group"
}

if [ -n "${PYTHON:-}" ]; then
    says_yes "$PYTHON" "$is_new_enough" && set_up_with "$PYTHON"
    echo "Python 3.11 or newer is needed; PYTHON=$PYTHON is: $(version_of "$PYTHON")." >&2
    exit 2
fi

says_yes "$venv_python" "$is_new_enough; import pip" && set_up_with "$venv_python"

# One that can make a virtual environment by itself first, then any: there may be virtualenv.
for question in "$is_new_enough; import ensurepip, venv" "$is_new_enough"; do
    for python in python3.13 python3.12 python3.11 python3; do
        says_yes "$python" "$question" && set_up_with "$python"
    done
done

echo "Python 3.11 or newer is needed; python3 on this machine is: $(version_of python3)." >&2
echo "Install one (Debian, Ubuntu: apt install python3 python3-venv) or name one: PYTHON=/path/to/python3" >&2
exit 2
