//go:build race

package protocol

// slower is by what the race detector slows measurements down, at least.
const slower = 20
