import errno
import sqlite3
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.serving import app, sandbox, service, uploads, worker
from deepfake_ssat.serving.app import create_app
from deepfake_ssat.serving.jobs import JobStore
from deepfake_ssat.serving.service import ServiceSettings
from tests.videos import write_video

PROBED = set()
"""(content, limits) of the uploads that were found good."""
BYTES = {"Content-Type": "application/octet-stream"}


def settings(folder, seconds=0.0, **limits):
    return ServiceSettings(
        folder,
        ServiceLimits(**limits),
        describe=lambda: {"sha256": "abc"},
        analysis_options=[str(seconds)],
        analysis_module="tests.serving.fake_analysis",
        hosts=["testserver"],
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "small.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (8, 48, 64, 3), dtype=np.uint8)
    write_video(path, frames)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No long pauses, and a child looks at the same upload under the same limits once for all tests."""

    def check(path, limits):
        upload = path.read_bytes(), limits
        if upload not in PROBED:
            real_check(path, limits)
            PROBED.add(upload)

    real_check = service.check
    monkeypatch.setattr(service, "check", check)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(sandbox, "POLL_SECONDS", 0.02)


@pytest.fixture
def client(tmp_path):
    with TestClient(create_app(settings(tmp_path / "service"))) as client:
        yield client


def submit(client, body, name="a.mp4", headers=BYTES):
    return client.post("/api/v1/jobs", params={"name": name}, content=body, headers=headers)


def wait(client, job_id):
    def ended():
        return client.get(f"/api/v1/jobs/{job_id}").json()["state"] in ("done", "failed")

    until(ended)
    return client.get(f"/api/v1/jobs/{job_id}").json()


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.mark.slow
def test_video_becomes_a_result_and_a_report(client, video):
    answer = submit(client, video)
    assert answer.status_code == 202
    job = wait(client, answer.json()["id"])
    assert job["state"] == "done"
    assert client.get(job["result"]).json()["videos"][0]["probability"] == 0.25
    report = client.get(job["report"])
    assert "sandbox" in report.headers["content-security-policy"]


@pytest.mark.slow
def test_result_is_offered_in_every_form_that_was_written(client, video):
    job = wait(client, submit(client, video).json()["id"])
    assert client.get(job["csv"]).text == "path\na.mp4\n"
    assert job["timeline"] is None
    answer = client.get(f"/api/v1/jobs/{job['id']}/timeline")
    assert answer.status_code == 409


def ask_for_maps(client, job, body, start_seconds=0.0, track_id=0):
    asked = {"track_id": track_id, "start_seconds": start_seconds}
    return client.post(f"/api/v1/jobs/{job['id']}/maps", params=asked, content=body, headers=BYTES)


def test_maps_of_a_clip_are_a_job_that_keeps_no_video(client, tmp_path, video):
    judged = wait(client, submit(client, video).json()["id"])
    assert judged["maps"] is None
    asked = ask_for_maps(client, judged, video)
    assert (asked.status_code, asked.json()["name"]) == (202, "a.mp4")
    drawn = wait(client, asked.json()["id"])
    assert (drawn["state"], drawn["result"], drawn["report"]) == ("done", None, None)
    picture = client.get(drawn["maps"])
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    left = {file.name for file in (tmp_path / "service" / "jobs" / drawn["id"]).iterdir()}
    assert left == {"progress", "wanted.json", "maps.png"}


@pytest.mark.slow
@pytest.mark.parametrize(("start_seconds", "track_id"), [(1.5, 0), (0.0, 7)])
def test_maps_of_a_clip_that_was_not_judged_are_not_found(client, video, start_seconds, track_id):
    judged = wait(client, submit(client, video).json()["id"])
    answer = ask_for_maps(client, judged, video, start_seconds, track_id)
    assert (answer.status_code, f"face {track_id}" in answer.json()["error"]) == (404, True)
    failed = wait(client, submit(client, video, "fail.mp4").json()["id"])
    assert ask_for_maps(client, failed, video).status_code == 404


def test_maps_are_drawn_of_the_judged_file_only(client, tmp_path, video):
    judged = wait(client, submit(client, video).json()["id"])
    answer = ask_for_maps(client, judged, video + b"0")
    assert (answer.status_code, "send a.mp4 again" in answer.json()["error"]) == (422, True)
    assert [folder.name for folder in (tmp_path / "service" / "jobs").iterdir()] == [judged["id"]]


@pytest.mark.slow
def test_maps_wait_in_the_queue_of_all_jobs_within_its_limits(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, concurrent_jobs=1))) as client:
        judged = wait(client, submit(client, video).json()["id"])
    with TestClient(create_app(settings(tmp_path, seconds=30, queue_length=1))) as client:
        codes = [ask_for_maps(client, judged, video).status_code for _ in range(4)]
    assert codes.count(429) >= 2
    with TestClient(create_app(settings(tmp_path, upload_megabytes=0.001))) as client:
        assert ask_for_maps(client, judged, video).status_code == 413


def test_form_is_taken_as_well_as_a_raw_body(client, video):
    answer = client.post("/api/v1/jobs", data={"note": "x"}, files={"file": ("../of form.mp4", video)})
    assert (answer.status_code, answer.json()["name"]) == (202, "of form.mp4")
    assert answer.json()["size_bytes"] == len(video)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"files": {"a": b"x" * 10, "b": ("b.mp4", b"y")}}, "more than one file"),
        ({"data": {"note": "x"}, "files": {"note": (None, b"no file")}}, "no file"),
    ],
)
def test_form_without_exactly_one_file_is_refused(client, tmp_path, form, words):
    answer = client.post("/api/v1/jobs", **form)
    assert (answer.status_code, words in answer.json()["error"]) == (400, True)
    assert list((tmp_path / "service" / "jobs").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no form at all" * 9000, "broken"),
        (b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc', "within its file"),
    ],
)
def test_broken_form_is_refused(client, tmp_path, body, words):
    answer = client.post(
        "/api/v1/jobs", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, words in answer.json()["error"]) == (400, True)
    assert list((tmp_path / "service" / "jobs").iterdir()) == []


def test_form_is_held_to_the_limits(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, upload_megabytes=0.001))) as client:
        answer = client.post("/api/v1/jobs", files={"file": ("a.mp4", b"x" * 5000)})
        assert answer.status_code == 413


def test_video_is_deleted_when_its_job_ends(client, video, tmp_path):
    job = wait(client, submit(client, video).json()["id"])
    assert not (tmp_path / "service" / "jobs" / job["id"] / "video").exists()


@pytest.mark.slow
def test_failed_analysis_tells_its_reason(client, video):
    job = wait(client, submit(client, video, "fail.mp4").json()["id"])
    assert (job["state"], job["reason"]) == ("failed", "asked to fail")


def test_analysis_that_eats_memory_fails_alone(client, video):
    job = wait(client, submit(client, video, "eat.mp4").json()["id"])
    assert "memory" in job["reason"]
    assert client.get("/health").json()["status"] == "ok"


@pytest.mark.slow
def test_analysis_that_takes_too_long_is_stopped(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, seconds=60, job_seconds=0.5))) as client:
        job = wait(client, submit(client, video).json()["id"])
    assert "0.5 seconds" in job["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", BYTES, 400, "no body"),
        (b"just some text", BYTES, 422, ""),
        (b"\0" * 5000, BYTES, 422, ""),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, BYTES, 422, ""),
        (b"<script>alert(1)</script>", BYTES, 422, ""),
        (b"PK\x03\x04" + b"\0" * 100, BYTES, 422, ""),
        (b"x", {"Content-Type": "text/plain"}, 415, "octet-stream"),
    ],
)
def test_hostile_upload_is_answered_with_a_clear_refusal(client, tmp_path, body, headers, status, words):
    answer = submit(client, body, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert str(tmp_path) not in answer.json()["error"]
    assert list((tmp_path / "service" / "jobs").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "kind"), [(".png", "image/png"), (".jpg", "image/jpeg"), (".webp", "")])
def test_picture_is_taken_like_a_video(client, suffix, kind):
    done, picture = cv2.imencode(suffix, np.full((48, 64, 3), 99, np.uint8))
    assert done
    headers = {"Content-Type": kind} if kind else BYTES
    answer = submit(client, picture.tobytes(), f"a{suffix}", headers)
    assert answer.status_code == 202
    assert wait(client, answer.json()["id"])["state"] == "done"


@pytest.mark.slow
def test_picture_over_the_limit_and_a_broken_one_are_refused(tmp_path):
    _, picture = cv2.imencode(".png", np.full((48, 64, 3), 99, np.uint8))
    with TestClient(create_app(settings(tmp_path, frame_megapixels=0.001))) as client:
        answer = submit(client, picture.tobytes())
        assert (answer.status_code, "64x48" in answer.json()["error"]) == (413, True)
        assert submit(client, picture.tobytes()[:60]).status_code == 422


@pytest.mark.slow
def test_video_cut_before_its_index_is_refused(client, video):
    assert submit(client, video[: len(video) // 2]).status_code == 422


def test_announced_size_over_the_limit_is_refused_before_it_is_read(tmp_path):
    with TestClient(create_app(settings(tmp_path, upload_megabytes=0.001))) as client:
        assert submit(client, b"\0" * 2000).status_code == 413


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "words"),
    [({"video_seconds": 0.1}, "lasts"), ({"frame_megapixels": 0.001}, "64x48")],
)
def test_video_over_the_limits_is_refused(tmp_path, video, limits, words):
    with TestClient(create_app(settings(tmp_path, **limits))) as client:
        answer = submit(client, video)
        assert answer.status_code == 413
        assert words in answer.json()["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\..\\x.mp4", "a\x00b\n.mp4", "x" * 900]
)
def test_uploaded_name_never_becomes_a_path(client, video, name, tmp_path):
    job = submit(client, video, name).json()
    assert "/" not in job["name"]
    assert "\\" not in job["name"]
    assert job["name"].isprintable()
    assert [folder.name for folder in (tmp_path / "service" / "jobs").iterdir()] == [job["id"]]


@pytest.mark.slow
def test_full_queue_is_answered_with_try_later(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, seconds=30, queue_length=1))) as client:
        codes = [submit(client, video).status_code for _ in range(4)]
    assert codes.count(429) >= 2


@pytest.mark.slow
def test_error_in_a_job_is_its_failure_and_the_next_one_runs(client, video, monkeypatch):
    run_child = worker.run_child

    def sometimes_broken(module, arguments, *rest, **options):
        if arguments[1] == "bad.mp4":
            raise PermissionError(13, "Permission denied")
        return run_child(module, arguments, *rest, **options)

    monkeypatch.setattr(worker, "run_child", sometimes_broken)
    bad = wait(client, submit(client, video, "bad.mp4").json()["id"])
    assert (bad["state"], "PermissionError" in bad["reason"]) == ("failed", True)
    assert wait(client, submit(client, video).json()["id"])["state"] == "done"
    assert client.get("/health").json()["status"] == "ok"


def test_workers_live_through_a_database_that_fails(client, video, monkeypatch):
    store = client.app.state.service.store
    failures = []

    def fails_at_first(step):
        def failing(*given):
            if failures.count(step) < 2:
                failures.append(step)
                raise sqlite3.OperationalError("database or disk is full")
            return step(*given)

        return failing

    monkeypatch.setattr(store, "claim_next", fails_at_first(store.claim_next))
    monkeypatch.setattr(store, "finish", fails_at_first(store.finish))
    assert wait(client, submit(client, video).json()["id"])["state"] == "done"
    assert len(failures) == 4


def test_analysis_without_room_for_its_result_says_so(client, video):
    job = wait(client, submit(client, video, "full.mp4").json()["id"])
    assert "no room on its disk" in job["reason"]


def test_health_tells_of_dead_workers(client):
    # Answered when the weights are described and the workers are there; until then health says "starting".
    assert client.get("/api/v1/model").status_code == 200
    assert client.get("/health").json()["status"] == "ok"
    client.app.state.service.workers._threads.append(threading.Thread())
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")


def test_health_is_starting_until_the_workers_are_there(tmp_path, monkeypatch):
    start, seen = worker.Workers.start, []

    def watched(workers):
        seen.append(made.state.service.status)
        start(workers)

    monkeypatch.setattr(worker.Workers, "start", watched)
    made = create_app(settings(tmp_path))
    with TestClient(made) as client:
        client.get("/api/v1/model")
        assert client.get("/health").json()["status"] == "ok"
    assert seen == ["starting"]


def test_jobs_wait_until_the_checkpoint_is_checked(tmp_path, video):
    checked = threading.Event()
    slow = replace(settings(tmp_path), describe=lambda: checked.wait(60) and {"sha256": "abc"})
    with TestClient(create_app(slow)) as client:
        job_id = submit(client, video).json()["id"]
        assert client.get("/health").json()["status"] == "starting"
        assert client.get(f"/api/v1/jobs/{job_id}").json()["state"] == "queued"
        checked.set()
        assert client.get("/api/v1/model").json() == {"sha256": "abc"}
        assert wait(client, job_id)["state"] == "done"


def test_refused_checkpoint_makes_the_service_unhealthy(tmp_path):
    def refuse():
        raise CheckpointError("cut off")

    with TestClient(create_app(replace(settings(tmp_path), describe=refuse))) as client:
        assert client.get("/health").status_code == 503


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", "writing", "queue"])
def test_full_disk_is_answered_with_507_and_takes_no_upload_slot(tmp_path, video, monkeypatch, where):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def database_full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    with TestClient(create_app(settings(tmp_path, concurrent_uploads=1))) as client:
        running = client.app.state.service
        with monkeypatch.context() as patch:
            if where == "folder":
                patch.setattr(running.folders, "make", full)
            elif where == "writing":
                patch.setattr(uploads.os, "fsync", full)
            else:
                patch.setattr(running.store, "add", database_full)
            for _ in range(2):
                answer = submit(client, video)
                assert (answer.status_code, "disk is full" in answer.json()["error"]) == (507, True)
        assert list((tmp_path / "jobs").iterdir()) == []
        assert submit(client, video).status_code == 202


def test_busy_database_is_answered_with_try_later(client, monkeypatch):
    def locked(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(client.app.state.service.store, "find", locked)
    assert client.get("/api/v1/jobs/0123").status_code == 503
    monkeypatch.setattr(app.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert client.get("/api/v1/jobs/0123").status_code == 507


def test_folder_that_is_gone_is_answered_with_try_later(tmp_path, video):
    with TestClient(create_app(settings(tmp_path / "service")), raise_server_exceptions=False) as client:
        (tmp_path / "service").rename(tmp_path / "elsewhere")
        for answer in (submit(client, video), client.get("/health")):
            assert answer.status_code == 503
            assert "cannot use its folder" in answer.json()["error"]


def test_jobs_are_asked_for_by_their_ids_and_never_listed(client, video):
    ids = [submit(client, video).json()["id"] for _ in range(2)]
    asked = client.get("/api/v1/jobs", params={"id": [ids[1], "0123", ids[0]]}).json()
    assert [job["id"] for job in asked] == [ids[1], ids[0]]
    assert client.get("/api/v1/jobs").json() == []


def test_unknown_job_is_not_found(client):
    assert client.get("/api/v1/jobs/0123").status_code == 404
    assert client.get("/api/v1/jobs/..%2F..%2Fetc").status_code == 404


def test_key_is_required_where_one_is_set(tmp_path):
    with TestClient(create_app(replace(settings(tmp_path), api_key="secret"))) as client:
        assert client.get("/api/v1/model").status_code == 401
        assert client.get("/api/v1/model", headers={"X-API-Key": "wrong"}).status_code == 401
        assert client.get("/api/v1/model", headers={"X-API-Key": "secret"}).json() == {"sha256": "abc"}
        assert client.get("/health").status_code == 200


def test_other_host_names_are_not_answered(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.slow
def test_jobs_survive_a_restart(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, seconds=30))) as client:
        ids = [submit(client, video).json()["id"] for _ in range(3)]
        until(lambda: client.get(f"/api/v1/jobs/{ids[0]}").json()["state"] == "running")
    # Nor was it this job that brought the service down.
    assert JobStore(tmp_path / "jobs.sqlite").require(ids[0]).attempts == 0
    with TestClient(create_app(settings(tmp_path))) as client:
        assert {wait(client, job_id)["state"] for job_id in ids} == {"done"}


def test_folders_of_uploads_that_a_crash_cut_off_are_removed(tmp_path):
    (tmp_path / "jobs" / "half").mkdir(parents=True)
    with TestClient(create_app(settings(tmp_path))):
        assert not (tmp_path / "jobs" / "half").exists()


@pytest.mark.slow
def test_results_are_deleted_after_a_while(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, keep_hours=1))) as client:
        job = wait(client, submit(client, video).json()["id"])
        client.app.state.service.workers.clean(now=time.time() + 3601)
        assert client.get(f"/api/v1/jobs/{job['id']}").status_code == 404
        assert not (tmp_path / "jobs" / job["id"]).exists()


def test_ended_job_can_be_deleted(client, video, tmp_path):
    job = wait(client, submit(client, video).json()["id"])
    assert client.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/api/v1/jobs/{job['id']}").status_code == 404
    assert list((tmp_path / "service" / "jobs").iterdir()) == []


def test_running_and_waiting_jobs_are_cancelled_and_leave_nothing(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, seconds=60, concurrent_jobs=1))) as client:
        ids = [submit(client, video).json()["id"] for _ in range(2)]
        until(lambda: client.get(f"/api/v1/jobs/{ids[0]}").json()["state"] == "running")
        for job_id in reversed(ids):
            assert client.delete(f"/api/v1/jobs/{job_id}").status_code == 204
            assert client.get(f"/api/v1/jobs/{job_id}").status_code == 404
        until(lambda: not list((tmp_path / "jobs").iterdir()))
        assert client.get("/health").json() | {"version": ""} == {
            "status": "ok", "version": "", "queued": 0, "running": 0
        }  # fmt: skip


def test_running_job_tells_how_long_it_will_take(tmp_path, video):
    with TestClient(create_app(settings(tmp_path, seconds=60))) as client:
        job_id = submit(client, video).json()["id"]
        assert client.get(f"/api/v1/jobs/{job_id}").json()["seconds_left"] is None
        running = client.app.state.service
        until(lambda: running.store.find(job_id).started is not None)
        begun = running.store.find(job_id)
        # A quarter done in ten seconds: three more quarters take thirty.
        quarter = replace(begun, progress=0.25, started=time.time() - 10)
        running.store.find = lambda _: quarter
        assert client.get(f"/api/v1/jobs/{job_id}").json()["seconds_left"] == pytest.approx(30, abs=3)


def test_database_of_the_version_before_is_opened(tmp_path):
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute(
            "CREATE TABLE jobs (id TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL, "
            "sha256 TEXT NOT NULL, state TEXT NOT NULL, progress REAL NOT NULL DEFAULT 0, "
            "reason TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, "
            "finished REAL)"
        )
        connection.execute(
            "INSERT INTO jobs (id, name, size, sha256, state, created) VALUES ('a', 'n', 1, 'h', 'queued', 0)"
        )
    claimed = JobStore(tmp_path / "jobs.sqlite").claim_next()
    assert claimed is not None
    assert (claimed.id, claimed.started is not None) == ("a", True)


def test_page_allows_no_script_but_its_own(client):
    page = client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "Drop videos or pictures here" in page.text


def test_description_names_every_route(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/health", "/api/v1/jobs", "/api/v1/jobs/{job_id}/report", "/api/v1/model"} <= set(paths)
