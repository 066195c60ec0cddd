//go:build dragonboat_monkeytest

package main

import "github.com/lni/dragonboat/v4"

// partition cuts the NodeHost off from all others, or restores it.
func partition(host *dragonboat.NodeHost, cut bool) bool {
	if cut {
		host.PartitionNode()
	} else {
		host.RestorePartitionedNode()
	}
	return true
}
