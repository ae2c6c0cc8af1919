"""A market-data service, written plainly first and then made fast by importing fastcore and nothing else.

``plain`` is what you would find in many a repository, ``fast`` the same services wrapped by fastcore, each optimisation
behind a flag, ``tuned`` what can be done by hand; ``compare`` measures them.

    python -m examples.market_desk demo        # the same work before and after, and a table
    python -m examples.market_desk serve       # keep the service running
"""
