/* Nothing to call: the library is preloaded into CRIU, see shim.c. */
