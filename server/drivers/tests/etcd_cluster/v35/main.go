// The etcd server as published, built from its own modules: for tests where no package of this
// version can be had.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
