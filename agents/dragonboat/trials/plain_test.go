//go:build !race

package trials

const raced = false
