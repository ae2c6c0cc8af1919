/* Every kernel, one row each. */
#define FC_EACH_KERNEL(X)                                                                                              \
    X(sma)                                                                                                             \
    X(ema)                                                                                                             \
    X(rsi)                                                                                                             \
    X(macd)                                                                                                            \
    X(bbands)                                                                                                          \
    X(atr)                                                                                                             \
    X(stoch)                                                                                                           \
    X(obv)                                                                                                             \
    X(stddev)                                                                                                          \
    X(min)                                                                                                             \
    X(max)                                                                                                             \
    X(vwap)                                                                                                            \
    X(supertrend)
