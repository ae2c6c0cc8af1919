"""A small market-data service, written plainly first and then made fast by importing fastcore and nothing else.

The plain service is what you would find in many a repository: ``technical_indicator_service``,
``signal_generator_service``, ``price_monitor_service``, ``report_service`` and a WebSocket fan-out over Starlette.
``optimised`` puts a `fastcore.Switch` in front of each, so that one flag a part says whether the original or the
optimised version runs.

    python -m examples.market_desk demo --seconds 20     # the same work before and after, and a table
    python -m examples.market_desk serve                 # keep the service running
"""
