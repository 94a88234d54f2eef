//go:build linux

// Documents: every TCP destination that the vendors' documents list, written from
// the documents. A destination @role means the addresses that the site binds to
// that role.

package e2e

import (
	"slices"
	"strconv"
	"strings"
)

// Profile, role, destinations (comma), ports (comma), and the condition that
// the document states, if any.
const documented = `
# Sangfor Endpoint Secure Network Access Address Requirements Guide 01, section 1
endpoint-secure-onprem manager license.sangfor.com,x.sangfor.com 443
endpoint-secure-onprem manager upd.sangfor.com,download.sangfor.com 443,80
endpoint-secure-onprem manager update1.sangfor.net,update2.sangfor.net,update3.sangfor.net 443,80
endpoint-secure-onprem manager sp.sangfor.com,sp1.sangfor.com,sp2.sangfor.com,sp3.sangfor.com 443
endpoint-secure-onprem manager device.sangfor.com,device.scloud.sangfor.com 443,80
endpoint-secure-onprem manager dlauth.sangfor.com,datalake.sangfor.com 443
endpoint-secure-onprem manager analysis.sangfor.com,intelligence.sangfor.com 443
endpoint-secure-onprem manager download.windowsupdate.com 443,80
endpoint-secure-onprem manager auth.sangfor.com 443                                    neural-x
endpoint-secure-onprem manager auth.sea.sangfor.com 443                                neural-x,cyber-guardian
endpoint-secure-onprem manager clt.sangfor.com 443,80                                  sample-submission
endpoint-secure-onprem manager clt.sea.sangfor.com 443,80                              sample-submission,cyber-guardian
# section 2
endpoint-secure-onprem agent @manager 443,4430,8083,54120
endpoint-secure-onprem agent @manager 22345                                            advanced-troubleshooting
endpoint-secure-onprem appliance @manager 4460                                         appliance-integration
# section 3
endpoint-secure-saas agent upd.sangfor.com,download.sangfor.com 443,80
endpoint-secure-saas agent download.sangfor.com.cn 443,80                              before-6.0.4
endpoint-secure-saas agent edrsaas.sangfor.com,edragent.sangfor.com 8083,443,54120,80
endpoint-secure-saas agent edrlinkage.sangfor.com 443
endpoint-secure-saas agent 13.94.16.103 22,80,443,514,6514,8443                        # "ALL": a few of them
endpoint-secure-saas agent download.windowsupdate.com 443,80
endpoint-secure-saas agent update1.sangfor.net,update2.sangfor.net,update3.sangfor.net 443,80
endpoint-secure-saas agent sp.sangfor.com,sp1.sangfor.com,sp2.sangfor.com,sp3.sangfor.com 443

# Sangfor Cyber Command Domain Names And Ports 03, section 2
cyber-command sta @manager 443,4430,4488
cyber-command ngaf @manager 4430
cyber-command manager @ngaf 7443
cyber-command es @manager 7443
cyber-command manager @es 443
cyber-command manager @iag 7443,9998
cyber-command iag @manager 7443
cyber-command manager update1.sangfor.net,update2.sangfor.net,update3.sangfor.net,121.46.26.221 80,443
cyber-command manager auth.sangfor.com,auth.sangfor.com.cn,auth.sea.sangfor.com,did.sangfor.com.cn 80,443
cyber-command manager sp.sangfor.com,sp.sangfor.com.cn,sp1.sangfor.com,sp2.sangfor.com,sp3.sangfor.com 80,443
cyber-command manager download.sangfor.com,download.sangfor.com.cn 80,443
cyber-command manager upd.sangfor.com,upd.sangfor.com.cn,upd.sea.sangfor.com,clt.sea.sangfor.com 80,443
cyber-command manager ti.sea.sangfor.com,intelligence.sea.sangfor.com,analysis.sea.sangfor.com 80,443
cyber-command manager edrsaas.sangfor.com,edragent.sangfor.com 8083,443,54120,80
cyber-command manager x.sangfor.com,device.sangfor.com,device.scloud.sangfor.com,partner.sangfor.com 80,443
cyber-command manager remote0.scloud.sangfor.com 5000
cyber-command manager remote0.sangfor.com,remote1.sangfor.com,sec.sangfor.com 80,443

# Symantec Endpoint Protection communication ports
symantec-endpoint-protection manager @client 139,445,22
symantec-endpoint-protection client @update-provider 2967
symantec-endpoint-protection manager @embedded-database 2638
symantec-endpoint-protection manager @database 1433
symantec-endpoint-protection console @manager 8443,9090,8445,8446
symantec-endpoint-protection replication-partner @manager 8443
symantec-endpoint-protection spc @manager 8444                                         # 12.1.x
symantec-endpoint-protection client @manager 8014,443
symantec-endpoint-protection manager @cloud-console 443
symantec-endpoint-protection client @cloud-console 443
symantec-endpoint-protection manager @content-analysis 8081,8082
symantec-endpoint-protection rmm @manager 8446

# Broadcom: URLs that allow SEP and SES to connect to Symantec servers
symantec-liveupdate client liveupdate.symantec.com,liveupdate.symantecliveupdate.com,ent-shasta-rrs.symantec.com 443
symantec-liveupdate manager liveupdate.symantec.com,liveupdate.symantecliveupdate.com 443
`

// destination is one row and port, seen from the client that may reach it.
type destination struct {
	client client
	host   string // a name or an address
	port   uint16
	when   string
}

// documentedRows calls yield for each row and single destination of the table.
func documentedRows(yield func(profile, role, to, ports, when string)) {
	for _, row := range lines(documented) {
		f := append(strings.Fields(row), "")
		for to := range strings.SplitSeq(f[2], ",") {
			yield(f[0], f[1], to, f[3], f[4])
		}
	}
}

// documentedNames lists every name of the documents, each once, in order.
func documentedNames() (names []string) {
	documentedRows(func(_, _, to, _, _ string) {
		if !strings.HasPrefix(to, "@") && strings.Trim(to, "0123456789.") != "" && !slices.Contains(names, to) {
			names = append(names, to)
		}
	})
	slices.Sort(names)
	return names
}

// documentedDestinations returns every documented TCP destination of the
// fleet's client with that profile and role. A bound role is replaced by the
// addresses bound to it.
func documentedDestinations() (all []destination) {
	documentedRows(func(profile, role, to, ports, when string) {
		c := clientFor(profile, role)
		hosts := []string{to}
		if bound, ok := strings.CutPrefix(to, "@"); ok {
			hosts = c.addresses[bound]
		}
		for _, host := range hosts {
			for port := range strings.SplitSeq(ports, ",") {
				n, err := strconv.ParseUint(port, 10, 16)
				if err != nil || len(hosts) == 0 {
					panic("documents: " + to + " " + ports)
				}
				all = append(all, destination{client: c, host: host, port: uint16(n), when: when})
			}
		}
	})
	return all
}
