#!/bin/sh
# Installs or upgrades sallyport as an egress gateway on Debian 12 or newer, from the directory of a release. It overwrites
# no configuration. If the configuration has an error, it changes nothing.
set -eu
# The service must be able to read its configuration, and every user the manual, whatever root's umask is.
umask 022

usage() {
	cat <<'END'
Usage: install.sh [--config FILE] [--sidecar] [--no-enable] [--root DIR] [--dry-run]
       install.sh --uninstall [--purge] [--root DIR] [--dry-run]

Installs the binary, user, directories, units, man pages and completions. If
there is a configuration, an existing one or FILE, it checks that first, and
enables and (re)starts the units; the packet filter's unit only if [listen]
transparent or tproxy has an address. If there is none, it installs an example,
starts nothing, and prints what to do next.

  --config FILE  the configuration, if there is none yet
  --sidecar      the application runs on this host (deploy/sidecar.md);
                 later runs remember it
  --no-enable    install only
  --root DIR     install into the file system below DIR, for images; starts nothing
  --dry-run      print what would be done
  --uninstall    stop and remove; keeps configuration, journal and user, and the
                 packet filter that is loaded
  --purge        with --uninstall: configuration, journal and user too

Exit status: 0, or 1 when something is missing or wrong.
END
}

say() { printf '%s\n' "$@"; }
fail() {
	printf 'install.sh: %s\n' "$@" >&2
	exit 1
}
# run runs a command, or with --dry-run prints it.
run() {
	if [ "$dry" = yes ]; then say "  would run: $*"; else "$@"; fi
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root='' config='' mode=gateway enable=yes dry=no remove=no purge=no
while [ $# -gt 0 ]; do
	case $1 in
	--config | --root)
		[ -n "${2-}" ] || fail "$1 needs a value"
		if [ "$1" = --root ]; then root=$2; else config=$2; fi
		shift
		;;
	--sidecar) mode=sidecar ;;
	--no-enable) enable=no ;;
	--dry-run) dry=yes ;;
	--uninstall) remove=yes ;;
	--purge) purge=yes ;;
	-h | --help) usage && exit 0 ;;
	*) fail "unknown argument $1; see install.sh --help" ;;
	esac
	shift
done
[ "$purge" = no ] || [ "$remove" = yes ] || fail "--purge belongs to --uninstall"
[ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail "must run as root; --dry-run says what it would do"
if [ -n "$root" ]; then
	[ -d "$root/etc" ] || fail "--root $root: is not the root of a Debian file system"
	root=$(CDPATH='' cd -- "$root" && pwd -P)
	case $root in / | //) fail "--root / is this host: leave --root out" ;; esac
fi

etc=/etc/sallyport log=/var/log/sallyport units=/usr/local/lib/systemd/system doc=/usr/local/share/doc/sallyport
site=$root$etc/sallyport.toml
services='sallyport-nft.service sallyport.service'
[ ! -f "$root$units/sallyport.service.d/50-sidecar.conf" ] || mode=sidecar

# files lists what is installed: mode, file beside this script, place.
files() {
	say "0755 sallyport /usr/local/bin/sallyport"
	for f in sallyport.service sallyport.socket sallyport-dns.socket sallyport-nft.service sallyport-drops.service sallyport-drops.timer; do
		say "0644 systemd/$f $units/$f"
	done
	if [ "$mode" = gateway ]; then
		say "0644 systemd/nftables-sallyport.conf $units/nftables.service.d/00-sallyport.conf"
	else
		say "0644 systemd/nftables-sidecar.conf $units/nftables.service.d/00-sallyport.conf"
		say "0644 systemd/sidecar.conf $units/sallyport.service.d/50-sidecar.conf"
		say "0644 systemd/sidecar-nft.conf $units/sallyport-nft.service.d/50-sidecar.conf"
	fi
	say "0755 systemd/sallyport-generator /usr/local/lib/systemd/system-generators/sallyport-generator"
	for f in README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md bench/README.md bench/growth.svg configs/reference.toml gateway.toml sidecar.toml \
		deploy/gateway.md deploy/sidecar.md deploy/docker.md docs/README.md docs/attacks.md docs/balancers.md docs/catalogue.md docs/example-backup-3.html docs/example-backup-4.html docs/clients.md docs/configuration.md docs/connections.md docs/datagrams.md \
		docs/dns.md docs/faq.md docs/http.md docs/identity.md docs/journal.md docs/metrics.md docs/operations.md docs/parent.md docs/profile-format.md docs/profiles.md docs/reasons.md docs/siem.md docs/synthetic.md \
		docs/review.md docs/troubleshooting.md \
		docs/review-desktop.png docs/review-desktop-dark.png docs/review-phone.png docs/review-phone-dark.png; do
		say "0644 $f $doc/$f"
	done
	say "0644 systemd/sallyport-live-sets.conf $doc/sallyport-live-sets.conf"
	for f in "$here"/man/man[15]/sallyport*; do
		f=${f#"$here"/}
		say "0644 $f /usr/local/share/$f"
	done
	say "0644 completions/sallyport /usr/local/share/bash-completion/completions/sallyport"
	say "0644 completions/_sallyport /usr/local/share/zsh/site-functions/_sallyport"
	say "0644 completions/sallyport.fish /usr/local/share/fish/vendor_completions.d/sallyport.fish"
}

# put installs one file in one step, if it is not there already.
put() {
	if cmp -s "$2" "$root$3"; then return 0; fi
	say "  $3"
	[ "$dry" = no ] || return 0
	mkdir -p "$root$(dirname "$3")"
	install -m "$1" "$2" "$root$3.new"
	mv -f "$root$3.new" "$root$3"
}

known() { grep -q "^$1:" "$root/etc/passwd"; }
# booted reports whether this host's systemd runs.
booted() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
offline() { if [ -n "$root" ]; then systemctl --quiet --root "$root" "$@"; else systemctl --quiet "$@"; fi; }

uninstall() {
	say "Removing sallyport:"
	if [ -f "$root$units/sallyport.service" ]; then
		if booted; then
			if systemctl --quiet is-active sallyport.socket; then run systemctl stop sallyport.socket; fi
			# shellcheck disable=SC2086 # a list of names
			run systemctl --quiet disable --now $services
		else
			# shellcheck disable=SC2086
			run offline disable $services
		fi
	fi
	files | while read -r _ _ place; do
		[ -e "$root$place" ] || continue
		say "  $place"
		run rm -f "$root$place"
	done
	for dir in "$root$doc"/* "$root$doc" "$root$units"/*.service.d; do
		[ ! -d "$dir" ] || run rmdir --ignore-fail-on-non-empty "$dir"
	done
	if [ "$purge" = yes ]; then
		say "  $etc, $log and the user sallyport"
		run rm -rf "$root$etc" "$root$log"
		if known sallyport; then run userdel ${root:+--prefix "$root"} sallyport; fi
	fi
	if booted; then
		run rm -rf /run/sallyport-nft /run/sallyport-drops
		run systemctl daemon-reload
		still="nothing gets out that it does not permit"
		[ "$mode" = sidecar ] || still="this host routes nothing"
		say "The packet filter is still loaded, and $still. To remove it: nft delete table inet sallyport"
	fi
	[ "$purge" = yes ] || say "Kept: $etc, $log and the user sallyport."
}

# require stops if something is missing, before anything is changed.
require() {
	missing=''
	[ -x "$root/usr/sbin/nft" ] || missing="$missing nftables"
	[ -x "$root/usr/sbin/sysctl" ] || missing="$missing procps"
	[ -x "$root/usr/sbin/useradd" ] || missing="$missing passwd"
	command -v systemctl >/dev/null && [ -e "$root/usr/bin/systemctl" ] || missing="$missing systemd"
	[ -z "$missing" ] || fail "missing:$missing; first: apt-get install$missing"
	files | while read -r _ file _; do
		[ -f "$here/$file" ] || fail "$file is not beside this script: run the script in the directory of a release (make stage makes one)"
	done
	"$here/sallyport" version >/dev/null || fail "$here/sallyport does not run here: is the release for another architecture?"
	for unit in $services; do
		[ ! -f "$root/etc/systemd/system/$unit" ] || fail "/etc/systemd/system/$unit replaces the unit of this release." \
			"Remove it, and put your changes into a drop-in: systemctl edit $unit"
	done
	[ -z "$config" ] || [ -f "$config" ] || fail "--config $config: no such file"
	if [ -f "$site" ] && [ -n "$config" ] && ! cmp -s "$config" "$site"; then
		fail "$site exists and differs from $config; it is not overwritten." "Put your changes there, then run this without --config."
	fi
}

# check chooses the configuration and checks it with the binary of this release.
check() {
	[ -f "$site" ] && config=$site
	if [ -z "$config" ] || cmp -s "$config" "$here/$mode.toml"; then
		enable=no
		return 0
	fi
	# The permissions of a file that will be copied, or of one below --root, do not matter on this host.
	if [ "$config" = "$site" ] && [ -z "$root" ]; then
		"$here/sallyport" check --mode $mode --config "$config"
	else
		"$here/sallyport" check --mode $mode --config - <"$config"
	fi || fail "$config: the configuration has an error; nothing was changed"
	# A proxy without listeners for redirected connections redirects nothing and has no packet filter.
	filter=0
	"$here/sallyport" nft --mode $mode --config "$config" >/dev/null 2>&1 || filter=$?
	[ "$filter" != 3 ] || services=sallyport.service
	[ "$filter $mode" != "3 sidecar" ] || fail "--sidecar: [listen] transparent is empty, so there would be no packet filter, and the application" \
		"could bypass sallyport; nothing was changed. See deploy/sidecar.md, or sidecar.toml for an example."
}

install_files() {
	say "Installing $("$here/sallyport" --version)${root:+ below $root}:"
	files | while read -r permissions file place; do
		put "$permissions" "$here/$file" "$place"
	done
	if ! known sallyport; then
		say "  user sallyport"
		run useradd ${root:+--prefix "$root"} --system --user-group --no-create-home --home-dir /nonexistent \
			--comment "sallyport egress gateway" --shell /usr/sbin/nologin sallyport
	fi
	run mkdir -p "$root$etc"
	if [ ! -d "$root$log" ]; then
		say "  $log"
		# By number: the user may exist only below --root.
		owner=$(awk -F: '$1 == "sallyport" { print $3 ":" $4 }' "$root/etc/passwd")
		run mkdir -p "$root$log"
		run chmod 0750 "$root$log"
		run chown "${owner:-sallyport}" "$root$log"
	fi
	[ -f "$site" ] || put 0644 "${config:-$here/$mode.toml}" "$etc/sallyport.toml"
}

# without_filter prints that there is no packet filter, and disables the unit of
# a host that was a gateway before. The loaded filter stays: it lets nothing out.
without_filter() {
	[ "$services" = sallyport.service ] || return 0
	say "A proxy only: [listen] transparent and tproxy are empty, so there is no packet filter, and this host does not need to route."
	if booted; then
		if systemctl --quiet is-enabled sallyport-nft.service 2>/dev/null; then run systemctl --quiet disable --now sallyport-nft.service; fi
	else
		run offline disable sallyport-nft.service
	fi
}

# activate enables the units, and starts or restarts them.
activate() {
	without_filter
	if ! booted; then
		# shellcheck disable=SC2086
		run offline enable $services
		say "Enabled: $services. They start with the next boot."
		return 0
	fi
	run systemctl daemon-reload
	# shellcheck disable=SC2086
	run systemctl --quiet enable $services
	# Units that run already are restarted with this release. Connections that
	# arrive meanwhile wait in the sockets.
	[ "$services" = sallyport.service ] || run systemctl reload-or-restart sallyport-nft.service
	run systemctl restart sallyport.service || fail "sallyport does not start, so nothing gets out. See: journalctl -u sallyport -n 30"
	say "Running: $services. Enabled for the next boot."
}

next() {
	if [ "$enable" = yes ]; then
		say "" "Now: sallyport healthcheck --ready --config $etc/sallyport.toml" \
			"     runuser -u sallyport -- sallyport preflight --config $etc/sallyport.toml" \
			"     sallyport denials --config $etc/sallyport.toml"
	else
		say "" "Nothing was started. Next: write $etc/sallyport.toml (an example is there if you had none), then run this again:" \
			"     sallyport check --mode $mode --config $etc/sallyport.toml" "     $here/install.sh"
	fi
}

if [ "$remove" = yes ]; then
	uninstall
	exit 0
fi
require
asked=$enable
check
install_files
if [ "$asked" = yes ] && [ "$enable" = yes ]; then activate; elif booted; then run systemctl daemon-reload; fi
next
