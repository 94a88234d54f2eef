// Explain's near misses: questions that were written by hand from the documents, because no rule
// generates them.

package main

import "testing"

func TestExplainVersions(t *testing.T) {
	type row struct {
		profile, role, version, line, reason string
	}
	const sep, saas = "symantec-endpoint-protection", "endpoint-secure-saas"
	var questions []asked
	for _, r := range []row{
		// "no longer used from Endpoint Secure 6.0.4 and later versions"
		{saas, "agent", "6.0.3", "tcp download.sangfor.com.cn 443", ""},
		{saas, "agent", "6.0.3.9", "tcp download.sangfor.com.cn 80", ""},
		{saas, "agent", "3.7", "tcp download.sangfor.com.cn 443", ""},
		{saas, "agent", "6.0.4", "tcp download.sangfor.com.cn 443", "version_excluded"},
		{saas, "agent", "6.0.4.0", "tcp download.sangfor.com.cn 443", "version_excluded"},
		{saas, "agent", "6.0.10", "tcp download.sangfor.com.cn 443", "version_excluded"},
		{saas, "agent", "", "tcp download.sangfor.com.cn 443", "version_excluded"},
		{saas, "agent", "6.0.4", "tcp download.sangfor.com.cn 8080", "port_not_listed"},
		{saas, "agent", "6.0.4", "tcp download.sangfor.com 443", ""},
		// Content analysis: "from version 14.2"
		{sep, "manager", "14.0.1", "tcp <content-analysis> 8081", "version_excluded"},
		{sep, "manager", "14.2", "tcp <content-analysis> 8081", ""},
		{sep, "manager", "14.3 RU8", "tcp <content-analysis> 8082", ""},
		{sep, "manager", "", "tcp <content-analysis> 8082", ""},
		{sep, "manager", "14.0.1", "udp <content-analysis> 8081", "protocol_not_listed"},
		// Protection Center 2.0: "12.1.x", and not supported by 14.x
		{sep, "spc", "12.0", "tcp <manager> 8444", "version_excluded"},
		{sep, "spc", "12.1", "tcp <manager> 8444", ""},
		{sep, "spc", "12.1.6", "tcp <manager> 8444", ""},
		{sep, "spc", "12.2", "tcp <manager> 8444", "version_excluded"},
		{sep, "spc", "14", "tcp <manager> 8444", "version_excluded"},
		{sep, "spc", "", "tcp <manager> 8444", "version_excluded"},
		// Cloud console: the manager from 14.0.1, the client from 14.2
		{sep, "manager", "14", "tcp <cloud-console> 443", "version_excluded"},
		{sep, "manager", "14 MP2", "tcp <cloud-console> 443", "version_excluded"},
		{sep, "manager", "14 RU1 MP2", "tcp <cloud-console> 443", ""},
		{sep, "manager", "14.0.1", "tcp <cloud-console> 443", ""},
		{sep, "client", "14.0.1", "tcp <cloud-console> 443", "version_excluded"},
		{sep, "client", "14 RU1 MP2", "tcp <cloud-console> 443", "version_excluded"},
		{sep, "client", "14.2", "tcp <cloud-console> 443", ""},
		{sep, "client", "14.2 MP1", "tcp <cloud-console> 443", ""},
		// Web services: RMM in all versions, the Java console from 14.0.1
		{sep, "rmm", "12.1", "tcp <manager> 8446", ""},
		{sep, "console", "14.0", "tcp <manager> 8446", "version_excluded"},
		{sep, "console", "14.0.1", "tcp <manager> 8446", ""},
		{sep, "console", "", "tcp <manager> 8446", ""},
	} {
		questions = append(questions, asked{
			site: clientSite{profile: r.profile, role: r.role, version: r.version},
			line: r.line, reason: r.reason, near: r.reason != "",
		})
	}
	ask(t, questions)
}

func TestExplainNearMissesOfEndpointSecure(t *testing.T) {
	onprem := clientSite{profile: "endpoint-secure-onprem", role: "manager"}
	agent := clientSite{profile: "endpoint-secure-onprem", role: "agent"}
	saas := clientSite{profile: "endpoint-secure-saas", role: "agent"}
	ask(t, []asked{
		// On premises: siblings, the domains themselves, and hosts that only SaaS or Cyber Command
		// documents.
		{site: onprem, line: "tcp update4.sangfor.net 443", reason: "not_listed", near: true},
		{site: onprem, line: "tcp update.sangfor.net 443", reason: "not_listed"},
		{site: onprem, line: "tcp a.update1.sangfor.net 443", reason: "not_listed", near: true},
		{site: onprem, line: "tcp sp4.sangfor.com 443", reason: "not_listed", near: true},
		{site: onprem, line: "tcp sangfor.com 443", reason: "not_listed"},
		{site: onprem, line: "tcp www.sangfor.com 443", reason: "not_listed"},
		{site: onprem, line: "tcp sangfor.net 443", reason: "not_listed"},
		{site: onprem, line: "tcp windowsupdate.com 443", reason: "not_listed"},
		{site: onprem, line: "tcp update1.sangfor.com 443", reason: "not_listed"},
		{site: onprem, line: "tcp download.sangfor.com.cn 443", reason: "not_listed"},
		{site: onprem, line: "tcp edrlinkage.sangfor.com 443", reason: "not_listed", hint: "endpoint-secure-saas"},
		{site: onprem, line: "tcp evil.example 443", reason: "not_listed"},
		{site: onprem, line: "tcp license.sangfor.com 80", reason: "port_not_listed", near: true, hint: "443"},
		{site: onprem, line: "tcp sp.sangfor.com 80", reason: "port_not_listed", near: true},
		{site: onprem, line: "udp license.sangfor.com 443", reason: "protocol_not_listed", near: true},
		{site: onprem, line: "udp upd.sangfor.com 53", reason: "protocol_not_listed", near: true},
		{site: onprem, line: "tcp auth.sangfor.com 80", reason: "port_not_listed", near: true},
		{site: onprem, line: "tcp auth.sangfor.com 443", reason: "feature_off", near: true, hint: "neural-x"},
		{site: onprem, line: "tcp auth.sea.sangfor.com 443", reason: "feature_off", near: true, hint: "cyber-guardian"},
		{site: onprem, line: "tcp clt.sangfor.com 443", reason: "feature_off", near: true, hint: "sample-submission"},
		{site: onprem, line: "tcp 121.46.26.221 443", reason: "ip_literal"},
		{site: onprem, line: "tcp 13.94.16.103 443", reason: "ip_literal"},
		{site: onprem, line: "tcp <manager> 8083", reason: "role_not_listed", near: true, hint: "agent"},
		// The agent reaches its manager, but no destination of the manager.
		{site: agent, line: "tcp license.sangfor.com 443", reason: "role_not_listed", near: true, hint: "manager"},
		{site: agent, line: "tcp <manager> 80", reason: "port_not_listed", near: true},
		{site: agent, line: "udp <manager> 443", reason: "protocol_not_listed", near: true},
		{site: agent, line: "tcp <manager> 22345", reason: "feature_off", near: true, hint: "advanced-troubleshooting"},
		// 4460 is for appliances, which are no agents.
		{site: clientSite{profile: agent.profile, role: "appliance"}, line: "tcp <manager> 4460", reason: "feature_off", near: true, hint: "appliance-integration"},
		{site: clientSite{profile: agent.profile, role: "appliance", features: "appliance-integration"}, line: "tcp <manager> 4460"},
		{site: clientSite{profile: agent.profile, role: "agent", features: "appliance-integration"}, line: "tcp <manager> 4460", reason: "port_not_listed", near: true, hint: "appliance"},
		{site: agent, line: "tcp 10.20.0.99 443", reason: "ip_literal"},
		{site: clientSite{profile: agent.profile, role: "agent", unbound: true}, line: "tcp <manager> 443", reason: "ip_literal"},
		// The document says that port 4430 can be changed.
		{site: clientSite{profile: agent.profile, role: "agent", ports: "agent-upgrade = 4431"}, line: "tcp <manager> 4431"},
		{site: clientSite{profile: agent.profile, role: "agent", ports: "agent-upgrade = 4431"}, line: "tcp <manager> 4430", reason: "port_not_listed", near: true},
		// SaaS: edrlinkage has port 443 only. The addresses beside the syslog address are not documented.
		{site: saas, line: "tcp edrlinkage.sangfor.com 80", reason: "port_not_listed", near: true},
		{site: saas, line: "udp edrlinkage.sangfor.com 443", reason: "protocol_not_listed", near: true, hint: "only tcp 443 is documented"},
		{site: saas, line: "tcp sp.sangfor.com 1", reason: "port_not_listed", near: true, hint: "only tcp 443 is documented"}, // a note has the name update1
		{site: saas, line: "tcp edrlinkage.sangfor.com 8083", reason: "port_not_listed", near: true},
		{site: saas, line: "tcp edragent.sangfor.com 8084", reason: "port_not_listed", near: true},
		{site: saas, line: "tcp 13.94.16.103 22"},
		{site: saas, line: "udp 13.94.16.103 9"},
		{site: saas, line: "tcp ::ffff:13.94.16.103 22"},
		{site: saas, line: "tcp 13.94.16.102 443", reason: "ip_literal"},
		{site: saas, line: "udp 13.94.16.104 514", reason: "ip_literal"},
		{site: saas, line: "tcp license.sangfor.com 443", reason: "not_listed"},
	})
}

// In the tables of Cyber Command the function column has the direction, and a port
// belongs to the destination.
func TestExplainNearMissesOfCyberCommand(t *testing.T) {
	cc := clientSite{profile: "cyber-command", role: "manager"}
	ccFrom := func(role string) clientSite { return clientSite{profile: "cyber-command", role: role} }
	ask(t, []asked{
		{site: cc, line: "tcp update4.sangfor.net 443", reason: "not_listed", near: true},
		{site: cc, line: "tcp 121.46.26.222 443", reason: "ip_literal"},
		{site: cc, line: "tcp 121.46.26.221 53", reason: "protocol_not_listed", near: true},
		{site: cc, line: "udp remote0.scloud.sangfor.com 53", reason: "port_not_listed", near: true},
		{site: cc, line: "tcp remote0.scloud.sangfor.com 443", reason: "port_not_listed", near: true},
		{site: cc, line: "udp remote0.sangfor.com 5000", reason: "port_not_listed", near: true},
		{site: cc, line: "tcp <dns-server> 53", reason: "protocol_not_listed", near: true},
		{site: cc, line: "tcp <es> 7443", reason: "port_not_listed", near: true},
		{site: cc, line: "tcp <ngaf> 4430", reason: "port_not_listed", near: true},
		{site: cc, line: "udp <iag> 1775", reason: "protocol_not_listed", near: true},
		{site: cc, line: "tcp <sta> 443", reason: "ip_literal"},                                 // no row has STA as its destination
		{site: ccFrom("es"), line: "tcp <manager> 4430", reason: "port_not_listed", near: true}, // the port in the misprint
		{site: ccFrom("es"), line: "tcp <manager> 443", reason: "port_not_listed", near: true},
		{site: ccFrom("ngaf"), line: "tcp <manager> 7443", reason: "port_not_listed", near: true},
		{site: ccFrom("iag"), line: "tcp <manager> 9998", reason: "port_not_listed", near: true},
		{site: ccFrom("iag"), line: "tcp <manager> 1775", reason: "protocol_not_listed", near: true},
		{site: ccFrom("sta"), line: "tcp update1.sangfor.net 443", reason: "role_not_listed", near: true, hint: "manager"},
		{site: ccFrom("sta"), line: "tcp <ngaf> 7443", reason: "role_not_listed", near: true, hint: "manager"},
	})
}

func TestExplainNearMissesOfSymantec(t *testing.T) {
	sep := func(role string) clientSite { return clientSite{profile: "symantec-endpoint-protection", role: role} }
	live := clientSite{profile: "symantec-liveupdate", role: "client"}
	ask(t, []asked{
		{site: sep("manager"), line: "udp <client> 445", reason: "protocol_not_listed", near: true},
		{site: sep("manager"), line: "tcp <client> 137", reason: "protocol_not_listed", near: true},
		{site: sep("manager"), line: "tcp <client> 23", reason: "port_not_listed", near: true},
		{site: sep("manager"), line: "tcp <syslog> 514", reason: "protocol_not_listed", near: true},
		{site: sep("manager"), line: "tcp <database> 3306", reason: "port_not_listed", near: true},
		{site: sep("manager"), line: "tcp <database> 2638", reason: "port_not_listed", near: true},
		{site: sep("manager"), line: "tcp <embedded-database> 1433", reason: "port_not_listed", near: true},
		{site: sep("client"), line: "tcp <database> 1433", reason: "role_not_listed", near: true, hint: "manager"},
		{site: sep("client"), line: "tcp <manager> 8443", reason: "port_not_listed", near: true},
		{site: sep("rmm"), line: "tcp <manager> 443", reason: "port_not_listed", near: true},
		{site: sep("replication-partner"), line: "tcp <syslog> 514", reason: "role_not_listed", near: true},
		{site: sep("client"), line: "tcp liveupdate.symantec.com 443", reason: "not_listed", hint: "symantec-liveupdate"},
		// The manager asks the servers for content, and not those for reputation.
		{site: clientSite{profile: live.profile, role: "manager"}, line: "tcp liveupdate.symantec.com 443"},
		{site: clientSite{profile: live.profile, role: "manager"}, line: "tcp ent-shasta-rrs.symantec.com 443", reason: "role_not_listed", near: true, hint: "client"},
		// LiveUpdate has three names only.
		{site: live, line: "tcp symantec.com 443", reason: "not_listed"},
		{site: live, line: "tcp symantecliveupdate.com 443", reason: "not_listed"},
		{site: live, line: "tcp a.liveupdate.symantec.com 443", reason: "not_listed", near: true},
		{site: live, line: "tcp ent-shasta-rrs2.symantec.com 443", reason: "not_listed"},
		{site: live, line: "tcp liveupdate.symantec.com 80", reason: "port_not_listed", near: true, hint: `The introduction of the page says "ports 80 and 443"`},
		{site: live, line: "udp liveupdate.symantec.com 443", reason: "protocol_not_listed", near: true},
	})
}
