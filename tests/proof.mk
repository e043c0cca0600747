# What the Makefile includes to prove the sources: checks of their form (part of `make check`), and longer campaigns.

TEST_PACKAGES += clang-14 clang-format-14
PROOF_PACKAGES := valgrind clang-tidy-14 cppcheck gcovr afl++

# ---- checks that read the sources and the programs; each is a file of tests/static/ ------------------------------------
STATIC := $(patsubst tests/static/%.sh,check-%,$(sort $(wildcard tests/static/*.sh)))
$(STATIC): check-%: check-packages
	+$(MAKE) --no-print-directory all unit
	BUILD=$(abspath $(BUILD)) sh tests/run static/$*.sh
.PHONY: $(STATIC)

# ---- the suite under instruments; tests/run counts what they report as failures ------------------------------------------
asan: check-packages ## the suite with AddressSanitizer, UBSan and leaks
	+$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined all unit
	BUILD=$(CURDIR)/build/asan sh tests/run $(or $(TESTS),unit/ integration/)
tsan: check-packages ## the programs under the integration load, and a stress of the thread pool, with ThreadSanitizer
	+$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread all build/tsan/stress_pool
	BUILD=$(CURDIR)/build/tsan sh tests/run $(or $(TESTS),integration/)
unit: $(BUILD)/stress_pool
$(BUILD)/stress_pool: $(call obj,tests/stress/stress_pool.c worker/daemon/pool.c $(COMMON) $(SYNC)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_sync) $(LIBS_common)
valgrind: check-packages ## the suite under valgrind's memcheck (slow)
	+$(MAKE) --no-print-directory all unit
	sh tests/support/valgrind-build $(abspath $(BUILD)) $(CURDIR)/build/valgrind
	BUILD=$(CURDIR)/build/valgrind sh tests/run $(or $(TESTS),unit/ integration/)
