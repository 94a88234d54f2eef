// Programs: how each one is configured for a front end, and how it makes one
// trip.

package e2e

// java makes a trip with the standard library, as a program of one file.
const java = `java -Xshare:auto -XX:TieredStopAtLevel=1 -Djavax.net.ssl.trustStore="$TRUST" -Djavax.net.ssl.trustStorePassword=lab-only `

// chromium prints the page of a URL. It runs as an unprivileged user. In a container it
// runs without its sandbox.
const chromium = `chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking --user-data-dir="$HOME/p" --ignore-certificate-errors --timeout=20000 `

// httpPrograms are the programs that fetch over HTTP, TLS or TCP.
func httpPrograms() []program {
	return []program{
		{
			name: "curl", needs: []string{"curl"}, trip: map[front]string{
				absolute:      `curl -sS -f -m 20 --cacert "$CA" -x "$HTTP" "$URL" || curl -s -m 20 -x "$HTTP" "$URL"`,
				connect:       `curl -sS -m 20 --cacert "$CA" -x "$HTTP" "$URL"`,
				socks:         `curl -sS -m 20 --cacert "$CA" -x "$SOCKS" "$URL"`,
				redirected:    `curl -sS -m 20 "$URL"`,
				redirectedTLS: `curl -sS -m 20 --cacert "$CA" "$URL"`,
			},
		},
		{
			name: "wget", needs: []string{"wget"}, note: "no support for SOCKS", trip: map[front]string{
				absolute:      `wget -nv -O - -t 1 -T 20 -e use_proxy=yes -e http_proxy="$HTTP" "$URL"`,
				connect:       `wget -nv -O - -t 1 -T 20 --ca-certificate="$CA" -e use_proxy=yes -e https_proxy="$HTTP" "$URL"`,
				redirected:    `wget -nv -O - -t 1 -T 20 "$URL"`,
				redirectedTLS: `wget -nv -O - -t 1 -T 20 --ca-certificate="$CA" "$URL"`,
			},
		},
		{
			name: "aria2", needs: []string{"aria2c"}, note: "no support for SOCKS", trip: map[front]string{
				absolute:      `aria2c -q --log=- --log-level=error -m 1 -o f --all-proxy="$HTTP" "$URL"; cat f`,
				connect:       `aria2c -q --log=- --log-level=error -m 1 -o f --ca-certificate="$CA" --all-proxy="$HTTP" "$URL"; cat f`,
				redirected:    `aria2c -q --log=- --log-level=error -m 1 -o f "$URL"; cat f`,
				redirectedTLS: `aria2c -q --log=- --log-level=error -m 1 -o f --ca-certificate="$CA" "$URL"; cat f`,
			},
		},
		{
			name: "apt", needs: []string{"apt-get"}, note: "a download by apt's own helper, `/usr/lib/apt/apt-helper download-file`", trip: map[front]string{
				absolute:      `/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Proxy="$HTTP" download-file "$URL" f; cat f`,
				connect:       `/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::https::CAInfo="$CA" -o Acquire::https::Proxy="$HTTP" download-file "$URL" f; cat f`,
				socks:         `/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::https::CAInfo="$CA" -o Acquire::https::Proxy="$SOCKS" download-file "$URL" f; cat f`,
				redirected:    `/usr/lib/apt/apt-helper -o Acquire::Retries=0 download-file "$URL" f; cat f`,
				redirectedTLS: `/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::https::CAInfo="$CA" download-file "$URL" f; cat f`,
			},
		},
		{
			name: "git", needs: []string{"git"}, note: "a clone", brings: "fetched through the gate", trip: map[front]string{
				absolute:      `git -c http.proxy="$HTTP" clone -q "http://$HOST/git/repo.git" c && cat c/README`,
				connect:       `git -c http.proxy="$HTTP" -c http.sslCAInfo="$CA" clone -q "https://$HOST/git/repo.git" c && cat c/README`,
				socks:         `git -c http.proxy="$SOCKS" -c http.sslCAInfo="$CA" clone -q "https://$HOST/git/repo.git" c && cat c/README`,
				redirected:    `git clone -q "http://$HOST/git/repo.git" c && cat c/README`,
				redirectedTLS: `git -c http.sslCAInfo="$CA" clone -q "https://$HOST/git/repo.git" c && cat c/README`,
			},
		},
		{
			name: "Java", needs: []string{"java", "javac", "keytool"}, note: "`HttpURLConnection`. With SOCKS, Java looks up the name itself if it can, and then sends sallyport a SOCKS request with the address in place of the name. No rule permits the address, so use the HTTP proxy", trip: map[front]string{
				absolute:      java + `-Dhttp.proxyHost="$GATE" -Dhttp.proxyPort=3128 "$SCRIPTS/Fetch.java" "$URL"`,
				connect:       java + `-Dhttps.proxyHost="$GATE" -Dhttps.proxyPort=3128 "$SCRIPTS/Fetch.java" "$URL"`,
				socks:         java + `-DsocksProxyHost="$GATE" -DsocksProxyPort=1080 "$SCRIPTS/Fetch.java" "$URL"`,
				redirected:    java + `"$SCRIPTS/Fetch.java" "$URL"`,
				redirectedTLS: java + `"$SCRIPTS/Fetch.java" "$URL"`,
			},
		},
		{
			name: "node", needs: []string{"node"}, note: "its own `http` module, with the address of the proxy as an argument; no support for SOCKS", trip: map[front]string{
				absolute:      `NODE_EXTRA_CA_CERTS="$CA" node "$SCRIPTS/fetch.mjs" "$URL" "$HTTP"`,
				connect:       `NODE_EXTRA_CA_CERTS="$CA" node "$SCRIPTS/fetch.mjs" "$URL" "$HTTP"`,
				redirected:    `node "$SCRIPTS/fetch.mjs" "$URL"`,
				redirectedTLS: `NODE_EXTRA_CA_CERTS="$CA" node "$SCRIPTS/fetch.mjs" "$URL"`,
			},
		},
		{
			name: "Python requests", needs: []string{"/usr/bin/python3"}, trip: map[front]string{
				absolute:      `HTTP_PROXY="$HTTP" /usr/bin/python3 "$SCRIPTS/fetch_requests.py" "$URL"`,
				connect:       `HTTPS_PROXY="$HTTP" REQUESTS_CA_BUNDLE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_requests.py" "$URL"`,
				socks:         `HTTPS_PROXY="$SOCKS" REQUESTS_CA_BUNDLE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_requests.py" "$URL"`,
				redirected:    `/usr/bin/python3 "$SCRIPTS/fetch_requests.py" "$URL"`,
				redirectedTLS: `REQUESTS_CA_BUNDLE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_requests.py" "$URL"`,
			},
		},
		{
			name: "Python httpx", needs: []string{"/usr/bin/python3"}, trip: map[front]string{
				absolute:      `HTTP_PROXY="$HTTP" /usr/bin/python3 "$SCRIPTS/fetch_httpx.py" "$URL"`,
				connect:       `HTTPS_PROXY="$HTTP" SSL_CERT_FILE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_httpx.py" "$URL"`,
				socks:         `HTTPS_PROXY="socks5://$GATE:1080" SSL_CERT_FILE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_httpx.py" "$URL"`,
				redirected:    `/usr/bin/python3 "$SCRIPTS/fetch_httpx.py" "$URL"`,
				redirectedTLS: `SSL_CERT_FILE="$CA" /usr/bin/python3 "$SCRIPTS/fetch_httpx.py" "$URL"`,
			},
		},
		{
			name: "Chromium", needs: []string{"chromium"}, note: "headless", trip: map[front]string{
				absolute:      chromium + `--proxy-server="$HTTP" --dump-dom "$URL"`,
				connect:       chromium + `--proxy-server="$HTTP" --dump-dom "$URL"`,
				socks:         chromium + `--proxy-server="socks5://$GATE:1080" --dump-dom "$URL"`,
				redirected:    chromium + `--dump-dom "$URL"`,
				redirectedTLS: chromium + `--dump-dom "$URL"`,
			},
		},
		{
			name: "Docker's client", needs: []string{"docker"}, note: "only the command `docker manifest inspect`, which asks a registry", brings: `"schemaVersion": 2`, trip: map[front]string{
				connect:       `HTTPS_PROXY="$HTTP" SSL_CERT_FILE="$CA" docker manifest inspect "$HOST/e2e:1"`,
				socks:         `HTTPS_PROXY="socks5://$GATE:1080" SSL_CERT_FILE="$CA" docker manifest inspect "$HOST/e2e:1"`,
				redirectedTLS: `SSL_CERT_FILE="$CA" docker manifest inspect "$HOST/e2e:1"`,
			},
		},
		{
			name: "nc", needs: []string{"nc.openbsd"}, note: "the OpenBSD version; a request by hand to port 80", trip: map[front]string{
				connect:    `printf "$REQUEST" | nc.openbsd -v -X connect -x "$GATE:3128" "$HOST" 80`,
				socks:      `printf "$REQUEST" | nc.openbsd -v -X 5 -x "$GATE:1080" "$HOST" 80`,
				redirected: `printf "$REQUEST" | nc.openbsd -v -N "$HOST" 80`,
			},
		},
		{
			name: "socat", needs: []string{"socat"}, note: "a request by hand to port 80; the version in Debian 12 has no SOCKS5", trip: map[front]string{
				connect:    `printf "$REQUEST" | socat -t 20 - "PROXY:$GATE:$HOST:80,proxyport=3128"`,
				redirected: `printf "$REQUEST" | socat -t 20 - "TCP:$HOST:80"`,
			},
		},
		{
			name: "ncat", needs: []string{"ncat"}, note: "a request by hand to port 80", trip: map[front]string{
				connect:    `printf "$REQUEST" | ncat -v --proxy "$GATE:3128" --proxy-type http --proxy-dns remote "$HOST" 80`,
				socks:      `printf "$REQUEST" | ncat -v --proxy "$GATE:1080" --proxy-type socks5 --proxy-dns remote "$HOST" 80`,
				redirected: `printf "$REQUEST" | ncat -v "$HOST" 80`,
			},
		},
	}
}
