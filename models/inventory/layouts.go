package inventory

import "fmt"

// Sample answers an example of one size with made-up names: what an export of such a deployment looks
// like once everything is onboarded and the Windows machines are added. It refuses what is neither a
// 2000- nor a 4000-agent type.
//
// The layouts follow the two examples that are published for the original.
func Sample(t DeploymentType) (Inventory, error) {
	switch t {
	case UCCE2000, PCCE2000, HCS2000:
		return sample2000(t), nil
	case UCCE4000, PCCE4000, HCS4000:
		return sample4000(t), nil
	}
	return Inventory{}, fmt.Errorf("cannot show a sample of %q: no such deployment type", t)
}

func sample2000(t DeploymentType) Inventory {
	return Inventory{DeploymentName: "UnifiedCCE", DeploymentType: t,
		VOS: []Section{
			{CUIC, nil},
			{CUICCoResident, clusters(CUICCoResident, 1, "cuic-host")},
			{Finesse, clusters(Finesse, 1, "finesse-host")},
			{IdentityService, nil},
			{LiveData, nil},
			{VVB, voiceBrowsers(4)},
		},
		Windows: []Section{
			{CVPOAMP, []Group{single("CVPOAMPSVR", "cvpoamp")}},
			{CVPReporting, []Group{single("CVPRPTSVR", "cvprpt")}},
			{CVPServer, []Group{duplex("CVPCALLSERVER", "cvp1", "cvp2")}},
			{Distributor, []Group{duplex("AW-HDS-DDS1", "awhds1a", "awhds1b")}},
			{Logger, nil},
			{PeripheralGateway, []Group{duplex("PG1", "pga", "pgb")}},
			{Rogger, []Group{duplex("ROGGER1", "rgra", "rgrb")}},
			{Router, nil},
		}}
}

func sample4000(t DeploymentType) Inventory {
	return Inventory{DeploymentName: "UnifiedCCE", DeploymentType: t,
		VOS: []Section{
			{CUIC, clusters(CUIC, 1, "cuic-host")},
			{CUICCoResident, nil},
			{Finesse, clusters(Finesse, 2, "finesse-host")},
			{IdentityService, clusters(IdentityService, 1, "ids-host")},
			{LiveData, clusters(LiveData, 1, "livedata-host")},
			{VVB, voiceBrowsers(8)},
		},
		Windows: []Section{
			{CVPOAMP, []Group{single("CVPOAMPSVR", "cvpoamp")}},
			{CVPReporting, []Group{single("CVPRPTSVR", "cvprpt")}},
			{CVPServer, []Group{duplex("CVPCALLSERVER1", "cvp1", "cvp2"),
				duplex("CVPCALLSERVER2", "cvp3", "cvp4")}},
			{Distributor, []Group{duplex("AW-HDS-DDS1", "awhds1a", "awhds1b"),
				duplex("AW-HDS-DDS2", "awhds2a", "awhds2b")}},
			{Logger, nil},
			{PeripheralGateway, []Group{duplex("PG1", "pg1a", "pg1b"), duplex("PG2", "pg2a", "pg2b")}},
			{Rogger, []Group{duplex("ROGGER1", "rgra", "rgrb")}},
			{Router, nil},
		}}
}

func clusters(p Product, count int, host string) []Group {
	var all []Group
	for n := 1; n <= count; n++ {
		name := host
		if count > 1 {
			name = fmt.Sprintf("%s%d", host, n)
		}
		all = append(all, Group{Name: fmt.Sprintf("%s-Cluster-%d", p, n), Hosts: []Host{
			{Name: name + "-pub", Side: SideA, Type: Publisher},
			{Name: name + "-sub", Side: SideB, Type: Subscriber}}})
	}
	return all
}

// voiceBrowsers are clusters of one machine each, alternating between the sides.
func voiceBrowsers(count int) []Group {
	var all []Group
	for n := 1; n <= count; n++ {
		side := SideA
		if n%2 == 0 {
			side = SideB
		}
		all = append(all, Group{Name: fmt.Sprintf("VVB-Cluster-%d", n), Hosts: []Host{
			{Name: fmt.Sprintf("vvb-host-%d", n), Side: side, Type: Publisher}}})
	}
	return all
}

const sampleUser = "admin@domain.local"

func single(name, host string) Group {
	return Group{Name: name, Hosts: []Host{{Name: host, Side: SideA, User: sampleUser}}}
}

func duplex(name, a, b string) Group {
	return Group{Name: name, Hosts: []Host{{Name: a, Side: SideA, User: sampleUser},
		{Name: b, Side: SideB, User: sampleUser}}}
}
