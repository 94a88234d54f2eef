// Package e2e is the end-to-end suite: it holds tests only.
//
// It builds the sallyport binary as it ships, starts it between two network
// namespaces of the test's own (clients on one side, a small internet on the
// other) and lets real clients go through it: curl, wget, dig, openssl, apt,
// git, node's undici and Chromium. The clients either name it as their proxy,
// or know nothing of it: then the ruleset that "sallyport nft" prints brings
// them to it, as a gateway or as a sidecar, and it runs without any privilege.
// The internet side answers DNS and serves TLS and HTTP for every documented
// destination, and for every other name too, so that a leak would succeed;
// where nothing is in the way it does. Below its listeners a packet socket
// records what arrives: "denied" means here that no packet came.
//
// Docker's part starts a dockerd of its own between the same two sides, builds
// the images without a registry, from a base made of this machine's Go, and runs
// the stacks of deploy/compose.yaml by the commands of their pages.
//
// The suite promises: nothing leaves the machine; nothing is left behind, not
// even when the test is killed, because namespaces and children hang on the
// test process; the tables of destinations are written from the vendors'
// documents, not from the shipped profiles.
//
// It needs Linux, root, iproute2, nftables, Docker and the clients. What is missing is skipped
// with a message; how many tests that were is said at the end, on the terminal
// too, as "go test" hides what passing packages print (and runs nothing where it
// says "(cached)"). SALLYPORT_E2E=required makes every such skip a failure, as
// CI and "sudo make e2e" do. SALLYPORT_E2E_UNDICI names a node_modules/undici directory; without
// it "npm install" fetches one for the test, and so for SALLYPORT_E2E_AXE and
// node_modules/axe-core. SALLYPORT_E2E_RESOLVED names a systemd-resolved that is
// unpacked and not installed. SALLYPORT_E2E_BINARY names a binary to test instead of
// a fresh build. SALLYPORT_E2E_PICTURES names a directory for new pictures of
// the review page, as docs/ has them.
package e2e
