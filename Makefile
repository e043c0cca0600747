# cachesync - build, test, show. `make help` lists the targets.
#
# BUILD=DIR builds elsewhere; SAN=address,undefined or SAN=thread adds sanitizers (use another BUILD).

VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= gcc
SAN     ?=
WERROR  ?= -Werror
PACKAGES := build-essential pkg-config libhiredis-dev libevent-dev libpq-dev libjansson-dev
TEST_PACKAGES := libcriterion-dev redis-server redis-tools postgresql curl jq shellcheck systemd logrotate strace mandoc zsh prometheus yamllint faketime spin

# ---- flags ----------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wpointer-arith -Wvla -Wundef \
        -Wcast-qual -Wwrite-strings -Wswitch-enum $(WERROR)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE -D_FORTIFY_SOURCE=3 \
          $(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
OPT := -O2 -g
ifneq ($(SAN),)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=undefined
HARDEN := -fPIE
endif
PC := pkg-config
EXTERNAL := $(shell $(PC) --cflags libhiredis hiredis libevent libpq jansson 2>/dev/null || \
             $(PC) --cflags hiredis libevent libpq jansson 2>/dev/null)
CPPFLAGS += -D_GNU_SOURCE -I. $(patsubst -I%,-isystem %,$(filter -I%,$(EXTERNAL))) $(SEAMS)
CFLAGS   += -std=gnu11 $(WARN) $(OPT) $(HARDEN) -ffile-prefix-map=$(CURDIR)=. -pthread
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack -pthread $(if $(SAN),-fsanitize=$(SAN))
LIBS_common := -lhiredis -levent -ljansson -lm
LIBS_sync   := -lpq

# ---- sources: one folder a layer ------------------------------------------------------------------------------------
src = $(sort $(wildcard $(1)/*.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
COMMON := $(call src,common)
SYNC   := $(call src,worker/sync)
DAEMON := $(call src,worker/daemon)
HTTP   := $(call src,worker/http)
CLI    := $(call src,worker/cli)
EMBED  := $(sort $(wildcard worker/lua/*.lua deploy/sql/*.sql deploy/rules/*.json worker/http/*.json))
UNIT   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(call src,tests/unit))
PROGRAMS := $(if $(DAEMON),$(BUILD)/cachesyncd) $(if $(HTTP),$(BUILD)/cachesync-http) $(if $(CLI),$(BUILD)/cachesync)

all: $(PROGRAMS) ## build the three programs into build/

$(BUILD)/cachesyncd: $(call obj,$(COMMON) $(SYNC) $(DAEMON)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_sync) $(LIBS_common)
$(BUILD)/cachesync-http: $(call obj,$(COMMON) $(HTTP)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_common)
$(BUILD)/cachesync: $(call obj,$(COMMON) $(SYNC) $(CLI)) $(BUILD)/obj/embed.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_sync) $(LIBS_common)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The embedded files as one C table, in the order of their names.
$(BUILD)/embed.c: deploy/embed.sh $(EMBED)
	@mkdir -p $(@D)
	sh deploy/embed.sh $(EMBED) >$@.tmp
	mv $@.tmp $@
$(BUILD)/obj/embed.o: $(BUILD)/embed.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# ---- unit tests: a test names in its second line what it links ("/* link: common/uuid common/err */"), so that a wrong
# ---- dependency fails to link
.SECONDEXPANSION:
links = $(patsubst %,$(BUILD)/obj/%.o,$(shell sed -n 's,^/\* link: \(.*\) \*/$$,\1,p' tests/unit/$(1).c))
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $$(call links,$$*) $(if $(findstring address,$(SAN)),$(BUILD)/obj/tests/support/leaks.o)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(LIBS_sync) $(LIBS_common)
unit: $(UNIT)
.SECONDARY:

# ---- tests ----------------------------------------------------------------------------------------------------------
check: check-packages ## build and pass every test (installs what is missing)
	+$(MAKE) --no-print-directory check-installed
check-installed: all unit tools fault-build
	BUILD=$(abspath $(BUILD)) sh tests/run $(TESTS)
include tests/proof.mk
include tests/fault.mk
include tests/http/http.mk

check-dashboard: ## the web page in headless Chromium, against a real adapter and daemon (brings Chromium and Node.js)
	@sh deploy/packages.sh $(PACKAGES) $(TEST_PACKAGES) chromium fonts-dejavu-core $$(command -v npm >/dev/null || echo nodejs npm)
	+$(MAKE) --no-print-directory all
	cd tests/dashboard && npm install --no-package-lock --no-audit --no-fund --silent
	BUILD=$(abspath $(BUILD)) bash tests/dashboard/run.sh

# ---- to see it ------------------------------------------------------------------------------------------------------
demo: demo-packages ## show the main job from nothing: servers, a market, a sync watched live, a second day
	+$(MAKE) --no-print-directory all
	BUILD=$(abspath $(BUILD)) deploy/demo/demo
run: demo-packages ## the same, but stays up until Ctrl-C
	+$(MAKE) --no-print-directory all
	BUILD=$(abspath $(BUILD)) deploy/demo/demo --stay
bench: bench-sync ## print the figures (takes minutes)
bench-sync: all
	BUILD=$(abspath $(BUILD)) tests/bench/bench-sync
buffer-study: all ## print how many changes each width of a buffer saves on real days
	BUILD=$(abspath $(BUILD)) tests/bench/buffer-study
check-packages:
	@sh deploy/packages.sh $(PACKAGES) $(TEST_PACKAGES)
demo-packages:
	@sh deploy/packages.sh $(PACKAGES) redis-server redis-tools postgresql curl jq

# ---- install --------------------------------------------------------------------------------------------------------
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
SHARE = $(DESTDIR)$(PREFIX)/share
UNITS := $(sort $(wildcard deploy/systemd/*.service deploy/systemd/*.timer))
MAN   := $(sort $(wildcard docs/man/*.[1-8]))
place = sed 's,@PREFIX@,$(PREFIX),g; s,@SYSCONFDIR@,$(SYSCONFDIR),g'

install: all install-files ## install into $(DESTDIR)$(PREFIX); settings into $(DESTDIR)$(SYSCONFDIR)
install-files: # what is built already; an env file that is there stays
	install -D -m 755 $(BUILD)/cachesyncd $(DESTDIR)$(PREFIX)/sbin/cachesyncd
	install -D -m 755 $(BUILD)/cachesync-http $(DESTDIR)$(PREFIX)/sbin/cachesync-http
	install -D -m 755 $(BUILD)/cachesync $(DESTDIR)$(PREFIX)/bin/cachesync
	install -D -m 644 -t $(SHARE)/cachesync deploy/rules/universes.json deploy/rules/universes.schema.json
	install -D -m 644 -t $(SHARE)/cachesync/dashboard deploy/dashboard/*
	install -D -m 644 -t $(SHARE)/cachesync deploy/postgresql/roles.sql deploy/redis/users.acl deploy/prometheus/cachesync.rules.yml \
	    deploy/grafana/cachesync.json
	install -d $(DESTDIR)$(UNITDIR)
	for u in $(UNITS); do $(place) $$u >$(DESTDIR)$(UNITDIR)/$${u##*/} && chmod 644 $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done
	install -D -m 644 deploy/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/cachesync.conf
	install -D -m 644 deploy/systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/cachesync.conf
	install -D -m 644 deploy/etc/logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/cachesync
	test -e $(DESTDIR)$(SYSCONFDIR)/cachesync/cachesync.env || \
	    install -D -m 640 deploy/etc/cachesync.env $(DESTDIR)$(SYSCONFDIR)/cachesync/cachesync.env
	for m in $(MAN); do install -D -m 644 $$m $(SHARE)/man/man$${m##*.}/$${m##*/} || exit 1; done
	test ! -e deploy/completion/cachesync.bash || \
	    install -D -m 644 deploy/completion/cachesync.bash $(SHARE)/bash-completion/completions/cachesync
	for p in cachesyncd cachesync-http; do ln -sf cachesync $(SHARE)/bash-completion/completions/$$p || exit 1; done
	test ! -e deploy/completion/_cachesync || \
	    install -D -m 644 deploy/completion/_cachesync $(DESTDIR)$(ZSHDIR)/_cachesync

# ---- the Debian package: deploy/debian on a staged tree, so that nothing is built in this one ----------------------------
STAGE = $(BUILD)/deb/cachesync-$(VERSION)
deb: ## build the Debian package into build/
	@sh deploy/packages.sh $(PACKAGES) debhelper fakeroot
	rm -rf $(STAGE) $(BUILD)/deb/*.deb
	mkdir -p $(STAGE)
	cp -a worker common tests deploy docs Makefile README.md LICENSE $(STAGE)
	cp -a deploy/debian $(STAGE)/debian
	cd $(STAGE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage -b -us -uc
	cp $(BUILD)/deb/cachesync_*.deb $(BUILD)
check-deb: deb ## install, run and purge the package in a clean root; lintian (needs root)
	@sh deploy/packages.sh mmdebstrap lintian
	BUILD=$(abspath $(BUILD)) tests/deb/check
check-manifests: ## the Kubernetes manifests against its schemas, the Dockerfile with a linter (brings Node.js)
	@sh deploy/packages.sh $$(command -v npm >/dev/null || echo nodejs npm)
	cd tests/manifests && npm install --no-package-lock --no-audit --no-fund --silent
	cd tests/manifests && node validate.mjs $(CURDIR)/deploy/k8s/*.yaml && npx dockerfilelint $(CURDIR)/deploy/docker/Dockerfile
format: ## format the sources in place
	clang-format-14 -i $$(git ls-files -co --exclude-standard '*.c' '*.h')
clean: ## remove build/
	rm -rf $(BUILD) tests/dashboard/node_modules
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all unit check check-installed check-packages check-dashboard demo demo-packages run bench bench-sync buffer-study install install-files deb check-deb check-manifests format \
        clean help
.DELETE_ON_ERROR:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
