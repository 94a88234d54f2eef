// client Server_1 of site.toml, revision 91b47c6bbd59: made-up, role server, without cloud
// written by sallyport profiles export --as pac (proxy auto-configuration: names, wildcards, addresses, TCP ports)
// document: Ports and addresses, version 7, released 2026-03-01, https://vendor.example/ports
// wider: a PAC script only advises a browser: it does not restrict a program that ignores it
// wider: the rule ends at 2027-07-01 00:00 UTC, but the export does not: export again at that time
//   site/mirror
// left out: the documents give no address: bind agent in [client.addresses] of the configuration of --config
//   made-up/agents
// left out: udp 123: a browser uses TCP
//   made-up/time
// left out: a browser uses TCP: the rule permits every protocol and port, and the export permits TCP ports only
//   made-up/support
// left out: udp 1514: a browser uses TCP
//   made-up/log
// left out: udp all: a browser uses TCP
//   site/mirror

var permitted = "PROXY proxy.corp.example:3128", denied = "PROXY 127.0.0.1:9";

var rules = [
  // made-up/update: Updates
  //   Ports and addresses, version 7, section 1
  {
    names: ["update.vendor.example", "update2.vendor.example"],
    below: [],
    networks: [],
    ports: [[80, 80], [443, 443]]
  },
  // made-up/cdn: Content
  //   Ports and addresses, version 7, section 1
  //   note: printed as *.CDN.vendor.example
  {
    names: ["start.vendor.example"],
    below: ["cdn.vendor.example"],
    networks: [],
    ports: [[443, 443], [8000, 8010]]
  },
  // made-up/pinned: One server of the content network
  //   Ports and addresses, version 7, section 1
  {
    names: ["pinned.cdn.vendor.example"],
    below: [],
    networks: [],
    ports: [[9443, 9443]]
  },
  // made-up/support: Remote support, ALL ports
  //   Ports and addresses, version 7, section 2
  {
    names: [],
    below: [],
    networks: [{ bits: 32, groups: [50706, 1799] }, { bits: 48, groups: [8193, 3512, 7, 0, 0, 0, 0, 0] }, { bits: 28, groups: [50706, 1792] }],
    ports: [[1, 65535]]
  },
  // made-up/log: Log of the server
  //   Ports and addresses, version 7, section 3
  {
    names: ["console.corp.example"],
    below: [],
    networks: [{ bits: 32, groups: [2580, 257] }, { bits: 64, groups: [64800, 1, 0, 0, 0, 0, 0, 0] }],
    ports: [[6514, 6514]]
  },
  // site/mirror: TICKET-1, until the move
  {
    names: ["mirror.corp.example"],
    below: ["pool.corp.example"],
    networks: [{ bits: 23, groups: [2580, 512] }],
    ports: [[8530, 8530]]
  },
];

function FindProxyForURL(url, host) {
  var port = portOf(url), address, i;
  host = host.toLowerCase();
  if (host.charAt(host.length - 1) === ".") host = host.substring(0, host.length - 1);
  address = groupsOf(host);
  for (i = 0; i < rules.length; i++) {
    if (hasPort(rules[i], port) && (address ? hasAddress(rules[i], address) : hasName(rules[i], host))) return permitted;
  }
  return denied;
}

// portOf returns the port of a URL, 0 for a scheme that is none of the web's.
function portOf(url) {
  var parts = /^([a-z]+):\/\/(?:[^\/?#@]*@)?(?:\[[^\]]*\]|[^\/?#:\[\]]*)(?::([0-9]*))?(?:[\/?#]|$)/i.exec(url), scheme;
  if (!parts) return 0;
  scheme = parts[1].toLowerCase();
  if (scheme !== "http" && scheme !== "https" && scheme !== "ws" && scheme !== "wss") return 0;
  if (parts[2]) return Number(parts[2]);
  return scheme === "http" || scheme === "ws" ? 80 : 443;
}

function hasPort(rule, port) {
  for (var i = 0; i < rule.ports.length; i++) {
    if (rule.ports[i][0] <= port && port <= rule.ports[i][1]) return true;
  }
  return false;
}

// hasName reports whether a rule lists a name, or a wildcard above it.
function hasName(rule, host) {
  var i, tail;
  for (i = 0; i < rule.names.length; i++) {
    if (rule.names[i] === host) return true;
  }
  for (i = 0; i < rule.below.length; i++) {
    tail = "." + rule.below[i];
    if (host.length > tail.length && host.substring(host.length - tail.length) === tail) return true;
  }
  return false;
}

function hasAddress(rule, groups) {
  for (var i = 0; i < rule.networks.length; i++) {
    if (within(rule.networks[i], groups)) return true;
  }
  return false;
}

function within(network, groups) {
  var left = network.bits, i, size;
  if (network.groups.length !== groups.length) return false;
  for (i = 0; left > 0; i++, left -= 16) {
    size = Math.pow(2, 16 - Math.min(left, 16));
    if (Math.floor(network.groups[i] / size) !== Math.floor(groups[i] / size)) return false;
  }
  return true;
}

// groupsOf returns the groups of 16 bits of an address: two for IPv4, eight for IPv6,
// null for a name. An IPv4 address inside an IPv6 one counts as IPv4.
function groupsOf(host) {
  var four = /^([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/.exec(host), halves, head, tail, i;
  if (four) {
    for (i = 1; i <= 4; i++) {
      if (Number(four[i]) > 255 || String(Number(four[i])) !== four[i]) return null;
    }
    return [four[1] * 256 + Number(four[2]), four[3] * 256 + Number(four[4])];
  }
  if (host.indexOf(":") < 0) return null;
  host = host.replace(/^\[/, "").replace(/\]$/, "").replace(/([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/, function (all, a, b, c, d) {
    return (a * 256 + Number(b)).toString(16) + ":" + (c * 256 + Number(d)).toString(16);
  });
  halves = host.split("::");
  if (halves.length > 2) return null;
  head = groupList(halves[0]);
  tail = halves.length === 2 ? groupList(halves[1]) : [];
  if (!head || !tail) return null;
  if (halves.length === 2) {
    if (head.length + tail.length > 7) return null;
    while (head.length + tail.length < 8) head.push(0);
  }
  head = head.concat(tail);
  if (head.length !== 8) return null;
  for (i = 0; i < 5 && head[i] === 0; i++);
  return i === 5 && head[5] === 65535 ? [head[6], head[7]] : head;
}

function groupList(text) {
  var parts = text === "" ? [] : text.split(":"), out = [], i;
  for (i = 0; i < parts.length; i++) {
    if (!/^[0-9a-f]{1,4}$/.test(parts[i])) return null;
    out.push(parseInt(parts[i], 16));
  }
  return out;
}
