/* Every operator, one row each. */
#define FC_EACH_OPERATOR(X)                                                                                            \
    X(copy)                                                                                                            \
    X(neg) X(abs) X(sqrt) X(exp) X(ln) X(log10) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh)   \
        X(floor) X(ceil) X(sign) X(add_number) X(subtract_from) X(times) X(divide_by) X(divide) X(add) X(sub) X(mul)   \
            X(div) X(greatest) X(least) X(gt) X(ge) X(eq) X(there) X(constant) X(ratio) X(where) X(lag) X(sum) X(mean) \
                X(variance) X(deviation) X(mean_deviation) X(highest) X(lowest) X(weighted) X(slope) X(line)           \
                    X(correlation) X(beta) X(after) X(previous) X(total) X(product) X(follow) X(hold) X(first)         \
                        X(smooth) X(apart) X(rises)
