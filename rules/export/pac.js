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
