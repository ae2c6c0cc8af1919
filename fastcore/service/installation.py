"""`install(app)`: tasks, streaming, monitoring, flags and the dashboard on an existing application."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastcore.dispatch.admin import AdminApp
from fastcore.dispatch.middleware import AssignmentMiddleware
from fastcore.monitor import AlertManager, Health, HealthApp, MetricsApp, MetricsMiddleware, WorkerFiles
from fastcore.service.access import Access
from fastcore.service.body_limit import BodyLimitMiddleware
from fastcore.service.draining import DrainMiddleware
from fastcore.service.installed import Installed
from fastcore.service.routes import check_hidden
from fastcore.service.watching import ServiceWatch

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI
    from fastapi.params import Depends

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
    dependencies: Sequence[Depends] | None = None,
    public: bool | Collection[str] | None = None,
    allowed_hosts: Iterable[str] | None = None,
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
    max_body: int | None = None,
    drain_delay: float = 1.0,
    drain_timeout: float = 15.0,
) -> Installed:
    """Add fastcore to an application: once, before it is started.

    What is passed in is started when the application is, after its own lifespan has begun, and stopped before that
    ends: tasks find open what the lifespan holds open for them.

    Parameters
    ----------
    app : FastAPI
        The one that the server runs: a mounted application has no lifespan.
    tasks : TaskQueue, optional
        Its workers run on the server's loop, ``/api/tasks`` serves it, and it is `submit_background_task`'s.
    hub : Hub, optional
        Served at `stream`, as server-sent events at ``{stream}/events`` unless the application has a route there, and
        `broadcast_analysis_results`'s.
    dashboard : bool, default True
        Serve the dashboard at `path`. Its charts need plotly; without it they are left out.
    token : str, optional
        What tasks, the stream, the dashboard's figures and the flags ask for, as ``Authorization: Bearer ...``; by
        default ``FASTCORE_ADMIN_TOKEN``. At least 16 characters. The flags' HTTP interface is at ``{path}/admin``;
        with neither a token nor `dependencies` there is none, and the dashboard is read-only.
    dependencies : sequence of fastapi.Depends, optional
        The application's own access check, in place of the token. With both, changes of flags require the token
        and the dependencies guard the rest. A `hub` with its own ``authenticate`` uses that, and dependencies
        among `router`'s options guard the tasks.
    public : bool or collection of str, optional
        Parts without access control: of ``tasks``, ``stream``, ``dashboard`` and ``admin``, the last two for reading
        only; by default those of ``FASTCORE_PUBLIC`` (with commas between), or else none. What is guarded by none of
        the three answers 503, and a warning at the start names it.
    allowed_hosts : iterable of str, optional
        Names in the Host header for which these parts are served, ``*.example.com`` and ``*`` too; by default
        ``FASTCORE_ALLOWED_HOSTS`` (with commas between), or else addresses, ``localhost`` and names without a dot.
    path, stream : str
        Where the dashboard and the hub are.
    router : mapping, optional
        Options of :meth:`TaskQueue.router`: `prefix`, `expose`, `dependencies`, ...
    prices : Prices, optional
        What the dashboard shows of prices; by default those that the hub publishes to ``prices.*``.
    probes : bool, default True
        Serve ``/livez`` and ``/readyz``.
    health : Health, optional
        Checks of the application.
    metrics : bool or MetricsApp, optional
        Serve ``/metrics``. By default where ``prometheus-client`` is installed; True insists on it.
    workers : WorkerFiles, optional
        Makes ``/metrics`` show all workers of a host; by default if ``FASTCORE_METRICS_DIR`` is set.
    assignment : bool or mapping, default True
        Give every request an assignment key; a mapping has options of :class:`~fastcore.rollout.AssignmentMiddleware`.
    arm : str, optional
        The flag whose arm labels the metrics of requests.
    watch : bool or MemoryWatch, default True
        Shrink caches when memory runs short, and count the garbage collector's pauses.
    alerts : bool or AlertManager, default True
        Judges its rules while the application runs; by default the default rules, which log. Services are looked at
        meanwhile, so that one over 20 % slower than its control or its baseline is alerted on.
    triggers : bool or AutoOptimizationManager, default True
        Looks at the services each minute; by default it only advises, in the log and the journal.
    max_body : int, optional
        Bytes that a request's body may have, on every route; one with more is answered 413, and its connection closed,
        before more of it is read. By default only the routes that `install` adds have limits.
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

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> from fastcore.service import install
    >>> from fastcore.streaming import Hub
    >>> from fastcore.tasks import TaskQueue
    >>> app = FastAPI()
    >>> installed = install(app, tasks=TaskQueue(), hub=Hub(), token="sixteen characters or more")
    >>> app.state.fastcore is installed
    True
    """
    _check_app(app)
    _check_parts(tasks, hub)
    for name, value in (("drain_delay", drain_delay), ("drain_timeout", drain_timeout)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise ValueError(f"{name}: expected seconds >= 0, got {value!r}")
    if max_body is not None and (type(max_body) is not int or max_body < 0):
        raise ValueError(f"max_body: expected an int >= 0 or None, got {max_body!r}")
    token = os.environ.get("FASTCORE_ADMIN_TOKEN", "").strip() or None if token is None else token
    access = Access(token, dependencies or (), public, allowed_hosts)
    admin = _admin(token, access)
    health = Health() if health is None else health
    if workers is None and os.environ.get("FASTCORE_METRICS_DIR", "").strip():
        workers = WorkerFiles()
    if metrics is None:
        metrics = importlib.util.find_spec("prometheus_client") is not None
    page = MetricsApp(workers) if metrics is True else metrics
    watching = _watch(watch)
    manager = (AlertManager(workers=workers) if alerts else None) if isinstance(alerts, bool) else alerts
    board = _dashboard(token, access, prices, tasks, hub, watching, manager) if dashboard else None
    options = dict(router or {})
    own = tuple(options.pop("dependencies", None) or ())
    ours = {
        "tasks": tasks is not None and not own,
        "stream": hub is not None and not hub.clients.asks_for_tokens,
        "dashboard": board is not None,
    }

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
    routers = _routers(app, access, tasks, own, options, hub, stream)

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
        report=lambda: access.report(part for part, there in ours.items() if there),
        drain_delay=float(drain_delay),
        drain_timeout=float(drain_timeout),
    )
    if max_body is not None:
        app.add_middleware(BodyLimitMiddleware, max_body=max_body)
    app.add_middleware(MetricsMiddleware, flag=arm)
    if assignment is not False:
        from starlette.middleware import Middleware

        # The innermost: authentication is complete here, and the user is the key.
        app.user_middleware.append(Middleware(AssignmentMiddleware, **({} if assignment is True else assignment)))
    app.add_middleware(DrainMiddleware, drain=installed.drainage)
    _add_routes(app, access, routes, routers)
    _wrap_lifespan(app, installed)
    app.state.fastcore = installed
    if tasks is not None:
        tasks.install()
    return installed


def _check_app(app: Any) -> None:
    try:
        from fastapi import FastAPI
    except ImportError as error:
        text = 'install: expected fastapi to be installed; pip install "fastcore-native[service]"'
        raise ImportError(text, name=error.name) from error
    if not isinstance(app, FastAPI):
        raise TypeError(f"app: expected a FastAPI application, got {type(app).__name__}")
    if isinstance(getattr(app.state, "fastcore", None), Installed):
        raise RuntimeError("install: expected an application without fastcore, got one that has it already")
    if app.middleware_stack is not None:
        raise RuntimeError("install: expected an application that was not started yet, got one that was")


def _check_parts(tasks: Any, hub: Any) -> None:
    if tasks is not None:
        from fastcore.tasks import TaskQueue

        if not isinstance(tasks, TaskQueue):
            hint = f"; write TaskQueue({tasks!r})" if isinstance(tasks, str) else ""
            raise TypeError(f"tasks: expected a TaskQueue, got {_kind(tasks)}{hint}")
    if hub is not None:
        from fastcore.streaming import Hub

        if not isinstance(hub, Hub):
            raise TypeError(f"hub: expected a Hub, got {_kind(hub)}")


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


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


def _admin(token: str | None, access: Access) -> AdminApp | None:
    if token is not None:
        return AdminApp(token, public=access.way("admin") == "public")
    return AdminApp(authorised=True) if access.way("admin") == "dependencies" else None


def _dashboard(
    token: str | None,
    access: Access,
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
    way = access.way("dashboard")
    authorised = token is None and way == "dependencies"
    return Dashboard(
        Sources(prices, tasks, hub, watch, writable=authorised or token is not None, alerts=alerts),
        token=token,
        authenticate=access.accepts if way == "token" else None,
        authorised=authorised,
    )


def _routers(
    app: FastAPI,
    access: Access,
    tasks: TaskQueue | None,
    own: Sequence[Depends],
    options: dict[str, Any],
    hub: Hub | None,
    stream: str,
) -> list[APIRouter]:
    from fastcore.service.guarded_routes import stream_router, task_router

    routers = []
    if hub is not None:
        from fastcore.streaming.broadcast import install_hub

        events = f"{stream}/events"
        taken = any(getattr(route, "path", None) == events for route in app.router.routes)
        routers.append(stream_router(hub, access, stream, None if taken else events))
        install_hub(hub)
    if tasks is not None:
        routers.append(task_router(tasks, access, own, options))
    return routers


def _add_routes(app: FastAPI, access: Access, routes: list[tuple[str, Any]], routers: list[APIRouter]) -> None:
    from starlette.routing import Route

    from fastcore.service.guarded_routes import mounted

    known = app.router.routes
    before = len(known)
    for where, endpoint in routes:
        if isinstance(endpoint, (HealthApp, MetricsApp)):
            known.append(Route(where, endpoint, include_in_schema=False))
        elif isinstance(endpoint, AdminApp):
            known += mounted(where, endpoint, access, "admin")
        else:
            known += mounted(where, endpoint, access, "dashboard", only="api/")
    for router in routers:
        app.include_router(router)
    check_hidden(known[before:], known[:before])
    known[:] = known[before:] + known[:before]


def _wrap_lifespan(app: FastAPI, installed: Installed) -> None:
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with own(app) as state, installed.running():
            yield state

    app.router.lifespan_context = lifespan
