// Package inventory reads, judges and writes inventory.conf, the list of machines that a control
// node orchestrates. It knows the form of the file and its rules, and no machine.
package inventory

import "slices"

// FileName is the file's only name: who exports or imports it names a directory.
const FileName = "inventory.conf"

// MaxBytes is how long the file may be.
const MaxBytes = 128 << 10

// Product is one kind of component, as the file spells it.
type Product string

// The products that onboarding fills in.
const (
	CUIC              Product = "CUIC"
	CUICCoResident    Product = "CUIC_LiveData_IdS" // co-resident, as in 2000-agent deployments
	Finesse           Product = "Finesse"
	IdentityService   Product = "IdS"
	LiveData          Product = "LiveData"
	VVB               Product = "VVB"
	CVPOAMP           Product = "CVPOAMP"
	CVPReporting      Product = "CVPREPORTING"
	CVPServer         Product = "CVPSERVER"
	Distributor       Product = "DISTRIBUTOR" // AW-HDS-DDS: there is no AWHDS
	Logger            Product = "LOGGER"
	PeripheralGateway Product = "PG"
	Rogger            Product = "ROGGER"
	Router            Product = "ROUTER"
)

// VOSProducts are the products that onboarding adds, in the order of the file.
func VOSProducts() []Product {
	return []Product{CUIC, CUICCoResident, Finesse, IdentityService, LiveData, VVB}
}

// WindowsProducts are the products that people add, in the order of the file.
func WindowsProducts() []Product {
	return []Product{CVPOAMP, CVPReporting, CVPServer, Distributor, Logger, PeripheralGateway,
		Rogger, Router}
}

// VOS says whether the product runs on VOS.
func (p Product) VOS() bool { return slices.Contains(VOSProducts(), p) }

// Duplex says whether two machines of the product serve as sides A and B of one pair.
func (p Product) Duplex() bool {
	switch p {
	case Logger, PeripheralGateway, Rogger, Router, CVPServer:
		return true
	case CUIC, CUICCoResident, Finesse, IdentityService, LiveData, VVB, CVPOAMP, CVPReporting, Distributor:
		return false
	}
	return false
}

// Side is where a machine stands in a duplex deployment.
type Side string

// The sides.
const (
	SideA Side = "A"
	SideB Side = "B"
)

// NodeType is a VOS machine's part in its cluster.
type NodeType string

// The node types, as the file spells them.
const (
	Publisher  NodeType = "Publisher"
	Subscriber NodeType = "Subscriber"
)

// Host is one machine. Type is of VOS machines, User of Windows ones. Line is where it stands in
// the text that was read, from 1; 0 where it was not read.
type Host struct {
	Name string
	Side Side
	Type NodeType
	User string
	Line int
}

// Group is one cluster of VOS machines, or one pair of Windows ones.
type Group struct {
	Name  string
	Hosts []Host
}

// Section is one product with its groups; none is written as {}.
type Section struct {
	Product Product
	Groups  []Group
}

// Inventory is what the file says. Sections stand in the order of the file.
type Inventory struct {
	VOS            []Section
	Windows        []Section
	DeploymentName string // empty where none is given
	DeploymentType DeploymentType
}

// Machines lists every host with its product and group, in the order of the file.
func (i Inventory) Machines() []Machine {
	var all []Machine
	for _, s := range slices.Concat(i.VOS, i.Windows) {
		for _, g := range s.Groups {
			for _, h := range g.Hosts {
				all = append(all, Machine{Product: s.Product, Group: g.Name, Host: h})
			}
		}
	}
	return all
}

// Machine is a host with where it stands.
type Machine struct {
	Product Product
	Group   string
	Host    Host
}

// DeploymentType is the size and kind of a deployment; compatibility is judged by it.
type DeploymentType string

// The deployment types, spelled exactly so.
const (
	UCCE2000 DeploymentType = "UCCE-2000-Agents" // the default
	UCCE4000 DeploymentType = "UCCE-4000-Agents"
	PCCE2000 DeploymentType = "PCCE-2000-Agents"
	PCCE4000 DeploymentType = "PCCE-4000-Agents"
	HCS2000  DeploymentType = "HCS-CC-2000-Agents"
	HCS4000  DeploymentType = "HCS-CC-4000-Agents"
)

// DeploymentTypes lists the supported ones.
func DeploymentTypes() []DeploymentType {
	return []DeploymentType{UCCE2000, UCCE4000, PCCE2000, PCCE4000, HCS2000, HCS4000}
}
