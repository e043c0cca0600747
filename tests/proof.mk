# What the Makefile includes to prove the sources: checks of their form (part of `make check`), and longer campaigns.

TEST_PACKAGES += clang-14 clang-format-14

# ---- checks that read the sources and the programs; each is a file of tests/static/ ------------------------------------
STATIC := $(patsubst tests/static/%.sh,check-%,$(sort $(wildcard tests/static/*.sh)))
$(STATIC): check-%: check-packages
	+$(MAKE) --no-print-directory all unit
	BUILD=$(abspath $(BUILD)) sh tests/run static/$*.sh
.PHONY: $(STATIC)
