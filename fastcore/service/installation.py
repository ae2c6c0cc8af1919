"""`install(app)`: tasks, streaming, monitoring, flags and the dashboard on an application that exists."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastcore.dispatch.admin import AdminApp
from fastcore.dispatch.asgi import AssignmentMiddleware
from fastcore.monitor import AlertManager, Health, HealthApp, MetricsApp, MetricsMiddleware, WorkerFiles
from fastcore.service.draining import DrainMiddleware
from fastcore.service.installed import Installed
from fastcore.service.routes import check_hidden
from fastcore.service.watching import ServiceWatch

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fastcore.memory import MemoryWatch
    from fastcore.monitor import AutoOptimizationManager
    from fastcore.service.dashboard import Dashboard, Prices
    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue

__all__ = ["install"]


def install(
    app: FastAPI,
    *,
    tasks: TaskQueue | None = None,
    hub: Hub | None = None,
    dashboard: bool = True,
    token: str | None = None,
    path: str = "/fastcore",
    stream: str = "/stream",
    router: Mapping[str, Any] | None = None,
    prices: Prices | None = None,
    probes: bool = True,
    health: Health | None = None,
    metrics: bool | MetricsApp | None = None,
    workers: WorkerFiles | None = None,
    assignment: bool | Mapping[str, Any] = True,
    arm: str | None = None,
    watch: bool | MemoryWatch = True,
    alerts: bool | AlertManager = True,
    triggers: bool | AutoOptimizationManager = True,
    drain_delay: float = 1.0,
    drain_timeout: float = 15.0,
) -> Installed:
    """Put fastcore onto an application: before it is started, once.

    What is passed in is started when the application is, after its own lifespan has begun, and stopped before that
    ends: tasks find open what the lifespan holds open for them.

    Parameters
    ----------
    app : FastAPI
        The one that the server runs: a mounted application has no lifespan.
    tasks : TaskQueue, optional
        Its workers run on the server's loop, ``/api/tasks`` serves it, and it is `submit_background_task`'s.
    hub : Hub, optional
        Served at `stream`, and `broadcast_analysis_results`'s.
    dashboard : bool, default True
        Serve the dashboard at `path`. Its charts need plotly; without it they are left out.
    token : str, optional
        What changing flags asks for; by default ``FASTCORE_ADMIN_TOKEN``. With one, the flags' HTTP interface is at
        ``{path}/admin``; without one there is none, and the dashboard is read-only. At least 16 characters.
    path, stream : str
        Where the dashboard and the hub are.
    router : mapping, optional
        Options of :meth:`TaskQueue.router`: `prefix`, `expose`, `dependencies`, ...
    prices : Prices, optional
        What the dashboard shows of prices; by default those that the hub publishes to ``prices.*``.
    probes : bool, default True
        Serve ``/livez`` and ``/readyz``.
    health : Health, optional
        Checks of the application's own.
    metrics : bool or MetricsApp, optional
        Serve ``/metrics``. By default where ``prometheus-client`` is installed; True insists on it.
    workers : WorkerFiles, optional
        Has ``/metrics`` show all workers of a host; by default where ``FASTCORE_METRICS_DIR`` says so.
    assignment : bool or mapping, default True
        Give every request an assignment key; a mapping has options of :class:`~fastcore.rollout.AssignmentMiddleware`.
    arm : str, optional
        The flag whose arm labels the metrics of requests.
    watch : bool or MemoryWatch, default True
        Have caches give memory back when it grows short, and count the garbage collector's pauses.
    alerts : bool or AlertManager, default True
        Judges its rules while the application runs; by default the default rules, which log. Services are looked at
        meanwhile, so that one over 20 % slower than its control or its baseline is alerted on.
    triggers : bool or AutoOptimizationManager, default True
        Looks at the services each minute; by default it only advises, in the log and the journal.
    drain_delay : float, default 1.0
        Seconds between SIGTERM and the end of the server's taking new connections, in which ``/readyz`` says no. As
        long as the balancer takes to notice: for Kubernetes more than ``periodSeconds * failureThreshold``.
    drain_timeout : float, default 15.0
        Seconds that sending clients away, and tasks that run, are given.

    Returns
    -------
    Installed
        Also as ``app.state.fastcore``.

    Raises
    ------
    TypeError
        If `app` is no FastAPI application.
    RuntimeError
        If it has fastcore already, or was started.
    ValueError
        If a path is taken, a route of the application would be hidden, or the token is too short.
    ImportError
        If ``metrics=True`` and there is no ``prometheus-client``; or no FastAPI.

    Notes
    -----
    SIGTERM is taken over from uvicorn, alone or under gunicorn, while the application runs: ``/readyz`` fails and
    answers close their connections; after `drain_delay` clients of the hub are told when to come back, and tasks of a
    store that others see are left to those; then uvicorn has the signal, and ends what is in hand. A second signal goes
    to it at once, as does Ctrl-C.
    """
    _check_app(app)
    for name, value in (("drain_delay", drain_delay), ("drain_timeout", drain_timeout)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise ValueError(f"{name}: expected seconds >= 0, got {value!r}")
    token = os.environ.get("FASTCORE_ADMIN_TOKEN", "").strip() or None if token is None else token
    admin = None if token is None else AdminApp(token)
    health = Health() if health is None else health
    if workers is None and os.environ.get("FASTCORE_METRICS_DIR", "").strip():
        workers = WorkerFiles()
    if metrics is None:
        metrics = importlib.util.find_spec("prometheus_client") is not None
    page = MetricsApp(workers) if metrics is True else metrics
    watching = _watch(watch)
    manager = (AlertManager(workers=workers) if alerts else None) if isinstance(alerts, bool) else alerts
    board = _dashboard(token, prices, tasks, hub, watching, manager) if dashboard else None
    task_routes = None if tasks is None else tasks.router(**(router or {}))

    routes: list[tuple[str, Any]] = []  # the first that matches answers: these go before all others
    if probes:
        routes += [("/livez", HealthApp(health)), ("/readyz", HealthApp(health))]
    if page:
        routes.append(("/metrics", page))
    if admin is not None:
        routes.append((f"{path}/admin", admin))
    if board is not None:
        routes.append((path, board))
    _check_paths(app, [*(where for where, _ in routes), *(() if hub is None else (stream,))])

    installed = Installed(
        app,
        health,
        tasks=tasks,
        hub=hub,
        watch=watching,
        alerts=manager,
        services=_services(bool(alerts), triggers),
        workers=workers,
        dashboard=board,
        drain_delay=float(drain_delay),
        drain_timeout=float(drain_timeout),
    )
    app.add_middleware(MetricsMiddleware, flag=arm)
    if assignment is not False:
        from starlette.middleware import Middleware

        # The innermost: whoever authenticates has done so, and the user is the key.
        app.user_middleware.append(Middleware(AssignmentMiddleware, **({} if assignment is True else assignment)))
    app.add_middleware(DrainMiddleware, drain=installed.drainage)
    _add_routes(app, routes, task_routes, hub, stream)
    _wrap_lifespan(app, installed)
    app.state.fastcore = installed
    if tasks is not None:
        tasks.install()
    return installed


def _check_app(app: Any) -> None:
    try:
        from fastapi import FastAPI
    except ImportError as error:
        text = "install: expected fastapi to be installed; pip install fastcore-native[service]"
        raise ImportError(text, name=error.name) from error
    if not isinstance(app, FastAPI):
        raise TypeError(f"app: expected a FastAPI application, got {type(app).__name__}")
    if isinstance(getattr(app.state, "fastcore", None), Installed):
        raise RuntimeError("install: expected an application without fastcore, got one that has it already")
    if app.middleware_stack is not None:
        raise RuntimeError("install: expected an application that was not started yet, got one that was")


def _check_paths(app: FastAPI, wanted: list[str]) -> None:
    for where in wanted:
        if not where.startswith("/") or where.endswith("/"):
            raise ValueError(f"path: expected one that begins with / and does not end with it, got {where!r}")
    taken = {getattr(route, "path", None) for route in app.router.routes}
    for where in wanted:
        if where in taken:
            raise ValueError(f"app: expected no route at {where} yet, got one; install() can leave its own out")


def _services(alerts: bool, triggers: bool | AutoOptimizationManager) -> ServiceWatch | None:
    if triggers is True:
        from fastcore.monitor import AutoOptimizationManager

        triggers = AutoOptimizationManager()
    return ServiceWatch(triggers or None) if alerts or triggers else None


def _watch(watch: bool | MemoryWatch) -> MemoryWatch | None:
    if watch is True:
        from fastcore.memory import MemoryWatch

        return MemoryWatch()
    return watch or None


def _dashboard(
    token: str | None,
    prices: Prices | None,
    tasks: TaskQueue | None,
    hub: Hub | None,
    watch: MemoryWatch | None,
    alerts: AlertManager | None,
) -> Dashboard:
    from fastcore.service.dashboard import Dashboard, Prices, Sources

    prices = Prices() if prices is None else prices
    if hub is not None:
        hub.listen(prices.pattern, prices.heard)
    return Dashboard(Sources(prices, tasks, hub, watch, writable=token is not None, alerts=alerts), token=token)


def _add_routes(app: FastAPI, routes: list[tuple[str, Any]], task_routes: Any, hub: Hub | None, stream: str) -> None:
    from starlette.routing import Mount, Route

    known = app.router.routes
    before = len(known)
    for where, endpoint in routes:
        if isinstance(endpoint, (HealthApp, MetricsApp)):
            known.append(Route(where, endpoint, include_in_schema=False))
        else:
            known.append(Mount(where, endpoint))
    if hub is not None:
        from fastcore.streaming.broadcast import install_hub

        hub.route(app, stream)
        install_hub(hub)
    if task_routes is not None:
        app.include_router(task_routes)
    check_hidden(known[before:], known[:before])
    known[:] = known[before:] + known[:before]


def _wrap_lifespan(app: FastAPI, installed: Installed) -> None:
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with own(app) as state, installed.running():
            yield state

    app.router.lifespan_context = lifespan
