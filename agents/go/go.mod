module quorate.dev/agent/go

go 1.25
