#!/bin/sh
# Installs sallyport as an egress gateway on Debian 12 or newer, from the directory of a release; again after an upgrade.
# It overwrites no configuration, and changes nothing where the configuration is wrong.
set -eu
# The service is to read its configuration, and everybody the manual, whatever root keeps from others by default.
umask 022

usage() {
	cat <<'END'
Usage: install.sh [--config FILE] [--sidecar] [--no-enable] [--root DIR] [--dry-run]
       install.sh --uninstall [--purge] [--root DIR] [--dry-run]

Installs binary, user, directories, units, man pages and completions. With a
configuration, an existing one or FILE, it checks that first, and enables and
(re)starts the units: the packet filter's only where [listen] transparent is not
empty. Without, it puts an example at its place, starts nothing, and says what
to do next.

  --config FILE  the configuration, if there is none yet
  --sidecar      the application runs on this very host (deploy/sidecar.md);
                 later runs remember it
  --no-enable    install only
  --root DIR     into the file system below DIR, for images: starts nothing
  --dry-run      say what would be done
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
# run does something, or says that it would.
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
	[ -d "$root/etc" ] || fail "--root $root: is no file system of a Debian"
	root=$(CDPATH='' cd -- "$root" && pwd -P)
	case $root in / | //) fail "--root /: is this host itself; that is what it does without --root" ;; esac
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
	for f in README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md bench/README.md configs/reference.toml gateway.toml sidecar.toml \
		deploy/gateway.md deploy/sidecar.md deploy/docker.md docs/README.md docs/clients.md docs/configuration.md docs/connections.md \
		docs/dns.md docs/faq.md docs/http.md docs/journal.md docs/metrics.md docs/operations.md docs/profiles.md docs/reasons.md \
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
# booted tells whether a systemd runs that the units are for.
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
		still="nothing that it does not permit gets out"
		[ "$mode" = sidecar ] || still="this host routes nothing"
		say "The packet filter is still loaded, and $still. To take the filter away: nft delete table inet sallyport"
	fi
	[ "$purge" = yes ] || say "Kept: $etc, $log and the user sallyport."
}

# require ends it all while nothing is changed yet.
require() {
	missing=''
	[ -x "$root/usr/sbin/nft" ] || missing="$missing nftables"
	[ -x "$root/usr/sbin/sysctl" ] || missing="$missing procps"
	[ -x "$root/usr/sbin/useradd" ] || missing="$missing passwd"
	command -v systemctl >/dev/null && [ -e "$root/usr/bin/systemctl" ] || missing="$missing systemd"
	[ -z "$missing" ] || fail "missing:$missing; first: apt-get install$missing"
	files | while read -r _ file _; do
		[ -f "$here/$file" ] || fail "$file is not beside this script: run it from the directory of a release (make stage makes one)"
	done
	"$here/sallyport" version >/dev/null || fail "$here/sallyport does not run here: a release for another architecture?"
	for unit in $services; do
		[ ! -f "$root/etc/systemd/system/$unit" ] || fail "/etc/systemd/system/$unit hides the unit that belongs to this release." \
			"Remove it, and keep your changes in a drop-in: systemctl edit $unit"
	done
	[ -z "$config" ] || [ -f "$config" ] || fail "--config $config: no such file"
	if [ -f "$site" ] && [ -n "$config" ] && ! cmp -s "$config" "$site"; then
		fail "$site exists and is another than $config; it is not overwritten." "Put your changes there, then run this without --config."
	fi
}

# check chooses the configuration and holds this release against it.
check() {
	[ -f "$site" ] && config=$site
	if [ -z "$config" ] || cmp -s "$config" "$here/$mode.toml"; then
		enable=no
		return 0
	fi
	# Who may write a file that is yet to be copied, or one below --root, does not matter on this host.
	if [ "$config" = "$site" ] && [ -z "$root" ]; then
		"$here/sallyport" check --mode $mode --config "$config"
	else
		"$here/sallyport" check --mode $mode --config - <"$config"
	fi || fail "$config: the configuration is wrong; nothing was changed"
	# A proxy alone redirects nothing, and has no packet filter.
	filter=0
	"$here/sallyport" nft --mode $mode --config "$config" >/dev/null 2>&1 || filter=$?
	[ "$filter" != 3 ] || services=sallyport.service
	[ "$filter $mode" != "3 sidecar" ] || fail "--sidecar: [listen] transparent is empty, so there would be no packet filter, and the application" \
		"would be free to go round sallyport; nothing was changed. See deploy/sidecar.md, or sidecar.toml for an example."
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
		# By number: the user may be one of another file system.
		owner=$(awk -F: '$1 == "sallyport" { print $3 ":" $4 }' "$root/etc/passwd")
		run mkdir -p "$root$log"
		run chmod 0750 "$root$log"
		run chown "${owner:-sallyport}" "$root$log"
	fi
	[ -f "$site" ] || put 0644 "${config:-$here/$mode.toml}" "$etc/sallyport.toml"
}

# without_filter says that there is none, and ends the routing of a gateway
# that is a proxy from now on. Its filter stays loaded: nothing gets out by it.
without_filter() {
	[ "$services" = sallyport.service ] || return 0
	say "A proxy only: [listen] transparent is empty, so there is no packet filter, and this host need not route."
	if booted; then
		if systemctl --quiet is-enabled sallyport-nft.service 2>/dev/null; then run systemctl --quiet disable --now sallyport-nft.service; fi
	else
		run offline disable sallyport-nft.service
	fi
}

# activate enables the units, and starts or renews what can be started.
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
	# Again, if they run already: a filter and a process of this release. The
	# connections that come meanwhile wait in the sockets.
	[ "$services" = sallyport.service ] || run systemctl reload-or-restart sallyport-nft.service
	run systemctl restart sallyport.service || fail "sallyport does not start; nothing gets out. See: journalctl -u sallyport -n 30"
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
