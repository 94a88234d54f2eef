// Package e2e is the end-to-end suite. It holds only tests.
//
// It builds the sallyport binary as it ships and starts it between two network
// namespaces: clients on one side, a small internet on the other. Real clients
// use it: curl, wget, dig, openssl, apt, git, node's undici and Chromium. Some
// clients have it configured as their proxy. For the others, the ruleset that
// "sallyport nft" prints redirects them to it, as a gateway or as a sidecar,
// and sallyport runs without any privilege. The internet side answers DNS and
// serves TLS and HTTP for every documented destination, and for every other
// name too, so that a leak would succeed; without sallyport in the way it does.
// Below its listeners a packet socket records every packet that arrives: here
// "denied" means that no packet came.
//
// The Docker tests start a dockerd between the same two sides. They build the
// images without a registry, from a base made of this machine's Go, and run the
// stacks of deploy/compose.yaml with the commands of their pages.
//
// The suite guarantees this: Nothing leaves the machine. Nothing remains
// afterwards, even if the test is killed, because namespaces and children
// depend on the test process. The tables of destinations are written from the
// vendors' documents, not from the shipped profiles.
//
// The suite needs Linux, root, iproute2, nftables, Docker and the clients. A
// test without its programs is skipped with a message. The number of skipped
// tests is printed at the end, on the terminal too, because "go test" hides the
// output of passing packages (and runs nothing if it prints "(cached)").
// SALLYPORT_E2E=required makes every such skip a failure, as CI and "sudo make
// e2e" do. SALLYPORT_E2E_UNDICI names a node_modules/undici directory; without
// it, "npm install" downloads one for the test. SALLYPORT_E2E_AXE does the same
// for node_modules/axe-core. SALLYPORT_E2E_RESOLVED names a systemd-resolved
// that is unpacked and not installed. SALLYPORT_E2E_BINARY names a binary to
// test instead of a new build. SALLYPORT_E2E_PICTURES names a directory for new
// pictures of the review page, as in docs/.
package e2e

import _ "sallyport" // this package needs Linux
