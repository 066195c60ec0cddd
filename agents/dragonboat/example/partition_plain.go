//go:build !dragonboat_monkeytest

package main

import "github.com/lni/dragonboat/v4"

// partition needs a build with the tag dragonboat_monkeytest.
func partition(*dragonboat.NodeHost, bool) bool { return false }
