// Package commands is what a control node can be told at its prompt and in scripts: one struct a
// command, named and nested as the originals are. It decides nothing; the packages beside it do.
package commands

import (
	"io"
	"os"
)

// Utils is "utils …".
type Utils struct {
	Deployment       utilsDeployment    `cmd:"" help:"The machines of the deployment: their connections."`
	System           utilsSystem        `cmd:"" help:"The machines that this node orchestrates, and this node itself."`
	ImageRepository  imageRepository    `cmd:"" help:"Where software comes from, and with what key."`
	Initiate         utilsInitiate      `cmd:"" help:"Begin what otherwise waits for the night."`
	OrchestrationJob orchestrationJob   `cmd:"" help:"When the daily jobs of this node run."`
	Show             utilsShow          `cmd:"" help:"Show how this node downloads software."`
	SMTP             utilsSMTP          `cmd:"" name:"smtp" help:"Mail: test the server, subscribe and unsubscribe people."`
	PatchManager     patchManager       `cmd:"" help:"Patches of the machines: list, install, roll back."`
	UpgradeManager   upgradeManager     `cmd:"" help:"Releases of the machines: list, upgrade, switch, roll back."`
	Orchestration    utilsOrchestration `cmd:"" help:"How this node orchestrates."`
	Set              utilsSet           `cmd:"" help:"Change how this node orchestrates."`
	CloudView        cloudViewCommand   `cmd:"" help:"What the hub's console may show of this deployment."`
}

type utilsSystem struct {
	Upgrade     systemUpgrade    `cmd:"" help:"Install a version of Cloud Connect itself."`
	Switch      systemSwitch     `cmd:"" help:"Switch between the two versions of Cloud Connect itself."`
	Inventory   inventoryCommand `cmd:"" help:"Export, import, check and show inventory.conf."`
	Onboard     onboardCommand   `cmd:"" help:"This VOS cluster, and the control nodes that orchestrate it."`
	Maintenance utilsMaintenance `cmd:"" help:"Maintenance mode of the machines."`
	ICMServices utilsICMServices `cmd:"" name:"icm-services" help:"The services of the machines."`
}

// Set is "set …".
type Set struct {
	setMail
	Cloudconnect  setCloudconnect  `cmd:"" help:"How the orchestration reaches the repository."`
	Orchestration setOrchestration `cmd:"" help:"How this node reaches the machines of its inventory."`
}

// Show is "show …".
type Show struct {
	showMail
	Cloudconnect  showCloudconnect  `cmd:"" help:"How the orchestration reaches the repository."`
	Orchestration showOrchestration `cmd:"" help:"How this node reaches the machines of its inventory."`
}

// readAtMost answers the beginning of a file.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
