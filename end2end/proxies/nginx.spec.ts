import { journeys } from "./journeys.ts";
import { nginx } from "./kinds.ts";

journeys(nginx);
