import { journeys } from "./journeys.ts";
import { caddy } from "./kinds.ts";

journeys(caddy);
