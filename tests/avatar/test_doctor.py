import socket
import subprocess
import sys

import numpy as np

from avatar import doctor


def test_help_answers_without_loading_anything_heavy():
    code = (
        "import sys; from avatar.doctor import get_parser; get_parser().format_help();"
        "heavy = {'torch', 'mediapipe', 'cv2', 'av', 'aiortc'} & set(sys.modules);"
        "sys.exit(f'loads {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_requirement_is_told_with_its_remedy(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "REQUIRED", {"no-such-package": "nothing"})
    assert doctor.main([]) == 1
    shown = capsys.readouterr().out
    assert "MISSING" in shown and "pip install no-such-package" in shown
    assert "Cannot run: no-such-package" in shown


def test_a_missing_extra_is_no_reason_to_fail(monkeypatch):
    missing = doctor.optional_package("no-such-package", "nothing", "camera")
    assert missing.mark is doctor.Mark.OPTIONAL and "emotive-avatar[camera]" in missing.remedy


def test_a_missing_system_library_names_its_package(monkeypatch):
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    finding = doctor.system_library("NoSuchLibrary", "libnosuch1")
    assert finding.mark is doctor.Mark.MISSING and "apt-get install libnosuch1" in finding.remedy


def test_a_busy_port_is_seen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert doctor.free_port("127.0.0.1", port).mark is doctor.Mark.OPTIONAL
    assert doctor.free_port("127.0.0.1", port).mark is doctor.Mark.GOOD


def test_a_probe_that_fails_is_a_finding_of_its_own(monkeypatch):
    def microphones():
        raise OSError("PortAudio library not found\nsecond line")

    finding = doctor._guarded(microphones)
    assert finding == (doctor.Mark.OPTIONAL, "microphones", "PortAudio library not found", "")


def test_the_segmenter_is_tried_for_real(tracker):
    finding = doctor.segmenter()
    assert finding.mark is doctor.Mark.GOOD and "selfie_segmenter" in finding.found


def test_a_segmenter_that_sees_nobody_is_told(monkeypatch):
    monkeypatch.setattr("avatar.segmenter.find_person", lambda rgb: np.zeros(rgb.shape[:2]))
    assert doctor.segmenter().mark is doctor.Mark.MISSING


def test_the_tracker_is_tried_for_real(tracker):
    finding = doctor.tracker()
    assert finding.mark is doctor.Mark.GOOD and "face_landmarker.task" in finding.found
