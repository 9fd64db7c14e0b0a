"""What must stay true of the folders and of what is imported when."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_python(code):
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "lenticular.settings.test",
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_platform_is_a_source_root_and_never_a_package():
    assert not list((ROOT / "platform").glob("*.py"))
    assert not (ROOT / "tests" / "platform").exists()


def test_the_standard_library_s_platform_is_not_shadowed():
    done = run_python("import platform; print(platform.python_version())")

    assert done.returncode == 0, done.stderr


def test_the_machine_s_half_imports_without_the_web():
    done = run_python(
        """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
WEB = {"django", "rest_framework", "celery", "channels", "lenticular"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in WEB:
            raise ModuleNotFoundError(f"{name} is kept away")
sys.meta_path.insert(0, Absent())
import mlcore
for module in pkgutil.walk_packages(mlcore.__path__, "mlcore."):
    importlib.import_module(module.name)
"""
    )

    assert done.returncode == 0, done.stderr


def test_a_web_process_never_loads_torch():
    done = run_python(
        """
import sys
import django
django.setup()
from django.urls import get_resolver
import lenticular.asgi, lenticular.wsgi, lenticular.urls
get_resolver().url_patterns
heavy = {"torch", "torchvision", "zoobot", "timm", "gpytorch", "lightning"} & set(sys.modules)
sys.exit(f"loaded: {sorted(heavy)}" if heavy else 0)
"""
    )

    assert done.returncode == 0, done.stderr
