import { journeys } from "./journeys.ts";
import { apache } from "./kinds.ts";

journeys(apache);
