# What the Makefile includes to prove the sources: checks of their form (part of `make check`), and longer campaigns.

TEST_PACKAGES += clang-14 clang-format-14

# ---- checks that read the sources and the programs; each is a file of tests/static/ ------------------------------------
STATIC := $(patsubst tests/static/%.sh,check-%,$(sort $(wildcard tests/static/*.sh)))
$(STATIC): check-%: check-packages
	+$(MAKE) --no-print-directory all unit
	BUILD=$(abspath $(BUILD)) sh tests/run static/$*.sh
.PHONY: $(STATIC)

# ---- the suite under instruments; tests/run counts what they report as failures ------------------------------------------
asan: check-packages ## the suite with AddressSanitizer, UBSan and leaks
	+$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined all unit tools fault-build
	BUILD=$(CURDIR)/build/asan sh tests/run $(or $(TESTS),unit/ fuzz/ integration/ fault/)
tsan: check-packages ## the programs under the integration load and faults, and a stress of the thread pool, with ThreadSanitizer
	+$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread all build/tsan/stress_pool build/tsan/sweep_alloc tools fault-build
	BUILD=$(CURDIR)/build/tsan sh tests/run $(or $(TESTS),integration/ fault/doubt fault/links fault/lone fault/servers)
unit: $(BUILD)/stress_pool $(BUILD)/sweep_alloc
$(BUILD)/sweep_alloc: $(call obj,tests/stress/sweep_alloc.c $(COMMON) $(SYNC)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc -o $@ $^ $(LIBS_sync) $(LIBS_common)
$(BUILD)/stress_pool: $(call obj,tests/stress/stress_pool.c worker/daemon/pool.c $(COMMON) $(SYNC)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_sync) $(LIBS_common)
valgrind: check-packages ## the suite under valgrind's memcheck (slow)
	@sh deploy/packages.sh valgrind
	+$(MAKE) --no-print-directory all unit
	sh tests/support/valgrind-build $(abspath $(BUILD)) $(CURDIR)/build/valgrind
	BUILD=$(CURDIR)/build/valgrind sh tests/run $(or $(TESTS),unit/ integration/)

# ---- fuzzing: tests/fuzz/fuzz_<name>.c with its corpus beside it; `make check` replays the corpora without a fuzzer -------
FUZZ_S ?= 60
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_MAIN ?= $(BUILD)/obj/tests/fuzz/replay.o
FUZZ_SAN := address,undefined
fuzz_links = $(patsubst %,$(BUILD)/obj/%.o,$(shell sed -n 's,^/\* link: \(.*\) \*/$$,\1,p' tests/fuzz/fuzz_$(1).c))
unit: $(FUZZ)
fuzz-programs: $(FUZZ)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(call fuzz_links,$$*) $(FUZZ_MAIN)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(FUZZ_LDFLAGS) -o $@ $^ $(LIBS_sync) $(LIBS_common)
fuzz: check-packages ## libFuzzer on every target, FUZZ_S=60 seconds each, two at a time (FUZZ_NAMES=uri: some)
	@sh deploy/packages.sh libclang-rt-14-dev
	+$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang-14 SAN=fuzzer-no-link,$(FUZZ_SAN) FUZZ_MAIN= \
	    FUZZ_LDFLAGS=-fsanitize=fuzzer,$(FUZZ_SAN) fuzz-programs
	sh tests/fuzz/run libfuzzer build/fuzz/fuzz $(FUZZ_S) $(FUZZ_NAMES)
fuzz-afl: check-packages ## AFL++ on every target, FUZZ_S=60 seconds each, two at a time (FUZZ_NAMES=uri: some)
	@sh deploy/packages.sh afl++
	+AFL_QUIET=1 AFL_USE_ASAN=1 AFL_USE_UBSAN=1 $(MAKE) --no-print-directory BUILD=build/afl CC=afl-clang-fast HARDEN=-fPIE OPT='-O1 -g' \
	    FUZZ_MAIN= FUZZ_LDFLAGS=-fsanitize=fuzzer fuzz-programs
	sh tests/fuzz/run afl build/afl/fuzz $(FUZZ_S) $(FUZZ_NAMES)
.PHONY: asan tsan valgrind fuzz fuzz-afl fuzz-programs

# ---- coverage ---------------------------------------------------------------------------------------------------------
# Two builds count together: the release, and the daemon with its fail points. -O0, so that a branch is one of the source.
COVERAGE := BUILD=build/coverage CC='gcc --coverage -fprofile-update=atomic' OPT='-O0 -g' HARDEN=-fPIE
COUNTERS := build/coverage/obj/tests/support/counters.o
coverage: check-packages ## lines and branches that the suite runs: 85 % and 75 % demanded of each folder
	@sh deploy/packages.sh gcovr
	+$(MAKE) --no-print-directory $(COVERAGE) $(COUNTERS)
	+LDFLAGS='$(CURDIR)/$(COUNTERS) -Wl,--wrap=_exit,--wrap=kill' $(MAKE) --no-print-directory $(COVERAGE) all unit tools fault-build
	find build/coverage -name '*.gcda' -delete
	-BUILD=$(CURDIR)/build/coverage SIGKILL_AS=USR2 sh tests/run $(or $(TESTS),unit/ fuzz/ integration/ fault/)
	sh tests/support/coverage build/coverage
.PHONY: coverage

# ---- static analysis --------------------------------------------------------------------------------------------------
analyze: check-packages ## gcc -fanalyzer, clang-tidy (.clang-tidy) and cppcheck, all clean
	@sh deploy/packages.sh clang-tidy-14 cppcheck
	sh tests/support/analyze '$(CPPFLAGS)'
.PHONY: analyze

# ---- property tests ---------------------------------------------------------------------------------------------------
property: check-packages ## random markets, rules, days and commands against a model in SQL: SEEDS='1 2 ...' DAYS=20
	+$(MAKE) --no-print-directory all
	BUILD=$(abspath $(BUILD)) SEEDS='$(or $(SEEDS),$(shell seq 1 20))' DAYS=$(or $(DAYS),20) sh tests/run integration/property.sh
.PHONY: property
