package agent

import "github.com/lni/dragonboat/v4/raftio"

func leaderInfo(shard, leader uint64) raftio.LeaderInfo {
	return raftio.LeaderInfo{ShardID: shard, ReplicaID: 1, LeaderID: leader, Term: 2}
}
