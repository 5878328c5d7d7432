"""One table of every device array: where it lies, its shape, unit and meaning, and whether gradients exist for it.

A *buffer* is a flat array of one element type; the buffers of a pack lie in two blocks of memory, which kernels bind.
Quantities of the same entity and element type share a buffer. A *column* is one named quantity in it, of one element
or several. Device code names columns (compiler/columns.py): `m.body_parentid[b]`, `d.qacc[w, i]`. Ways to share:

    rows     entity-major: element `entity * width + column` (what one body needs lies together)
    blocks   column-major: element `column * count + entity` (vectors over degrees of freedom stay contiguous)

Buffers of Data and Adjoint hold one such array per world, worlds one after the other.
"""

from engine.buffers import DIMS, OPT, Buffer
from engine.theta import FOLLOWING, LEAVES, THETA

# Entities of a kind (bodies, dofs, contacts, ...) over all worlds are fewer than this (math/index.py).
MOST = 1 << 23

MODEL = (
    Buffer("dims", "int", "one", DIMS),
    Buffer("opt", "real", "one", OPT),
    Buffer("theta", "real", "ntheta"),
    Buffer("following", "real", "nfollowing"),
    Buffer("body_i", "int", "nbody",
        "body_parentid body_rootid body_jntadr body_jntnum body_dofadr body_dofnum body_lastdof "
        "body_turned body_iturned body_mocapid",
    ),
    Buffer("body_v", "vec3", "nbody", "body_pos body_ipos"),
    Buffer("body_q", "vec4", "nbody", "body_quat body_iquat"),
    Buffer("body_gravcomp", "real", "nbody"),
    Buffer("jnt_i", "int", "njnt",
        "jnt_type jnt_qposadr jnt_dofadr jnt_bodyid jnt_limited jnt_off jnt_actfrclimited jnt_actgravcomp",
    ),
    Buffer("jnt_v", "vec3", "njnt", "jnt_pos jnt_axis"),
    Buffer("jnt_r", "real", "njnt",
        "jnt_range:2 jnt_margin jnt_solref:2 jnt_solimp:5 jnt_actfrcrange:2 jnt_stiffnesspoly:2",
    ),
    Buffer("qpos0", "real", "nq"),
    Buffer("qpos_spring", "real", "nq"),
    Buffer("coord_i", "int", "ncoord", "coord_kind coord_qposadr coord_dofadr coord_jntid"),
    Buffer("dof_i", "int", "nv",
        "tree_parent tree_run tree_depth tree_row dof_bodyid dof_jntid dof_treeid dof_group dof_turns",
    ),
    Buffer("dof_r", "real", "nv", "dof_solref:2 dof_solimp:5 dof_dampingpoly:2"),
    Buffer("geom_i", "int", "ngeom",
        "geom_type geom_bodyid geom_collides geom_seen geom_dataid geom_condim geom_priority geom_alike",
    ),
    Buffer("geom_v", "vec3", "ngeom", "geom_pos geom_size"),
    Buffer("geom_quat", "vec4", "ngeom"),
    Buffer("geom_surface", "vec3", "ngeom", "surface_lin surface_ang"),
    Buffer("geom_box", "vec3", "nboxed", "geom_center geom_half"),
    Buffer("geom_reach", "real", "ngeom"),
    Buffer("body_flows", "int", "nflowbody"),  # dynamics/ellipsoid_fluid.py
    Buffer("body_simple", "int", "nsimple"),  # whose drag MuJoCo's metric has on the diagonal alone
    Buffer("flow_i", "int", "nflow", "flow_geom flow_body flow_first"),
    Buffer("flow_v", "vec3", "nflow", "flow_area flow_mass flow_inertia flow_moment"),
    Buffer("flow_r", "real", "nflow", "flow_magnus flow_kutta flow_blunt flow_slender flow_slide flow_turn"),
    Buffer("flow_by_size", "vec3", "nflowslope"),  # derivatives of these, but masses, by the size of the geom
    Buffer("geom_r", "real", "ngeom", "geom_margin geom_gap geom_solmix geom_solref:2 geom_solimp:5"),
    Buffer("pair_i", "int", "nlisted", "pair_geom1 pair_geom2 pair_own"),
    Buffer("pair_dim", "int", "nown"),
    Buffer("own_r", "real", "nown", "pair_solref:2 pair_solreffriction:2 pair_solimp:5 pair_margin pair_gap"),
    Buffer("mesh_i", "int", "nmesh", "mesh_hulladr mesh_hullnum mesh_tried mesh_extrema:27"),
    Buffer("hull_vert", "vec3", "nhullvert"),
    Buffer("hull_i", "int", "nhullvert", "hull_edgeend hull_faceend"),
    Buffer("hull_edge", "int", "nhulledge"),
    Buffer("hull_face", "int", "nhullface"),
    Buffer("face_normal", "vec3", "nface"),
    Buffer("face_vertend", "int", "nface"),
    Buffer("face_vert", "int", "nfacevert"),
    Buffer("mesh_ray", "int", "nraymesh", "mesh_node mesh_nodeend"),  # sensing/mesh.py
    Buffer("ray_node", "int", "nraynode"),
    Buffer("ray_number", "real", "nraynumber"),
    Buffer("hfield_i", "int", "nhfield", "hfield_nrow hfield_ncol hfield_adr"),
    Buffer("hfield_size", "real", "nhfield", "hfield_size:4"),
    Buffer("hfield_data", "real", "nhfielddata"),
    Buffer("sweep_i", "int", "nsweep", "sweep_geom sweep_first sweep_end"),
    Buffer("sweep_radius", "real", "nsweep"),  # radius
    Buffer("partner", "int", "npartner", "partner_other partner_pair"),
    Buffer("always", "int", "nalways"),  # pairs that the broad phase leaves alone
    Buffer("eq_i", "int", "neq",
        "eq_kind eq_body1 eq_body2 eq_qposadr1 eq_qposadr2 eq_last1 eq_last2 eq_site1 eq_site2",
    ),
    Buffer("eq_v", "vec3", "neq", "eq_anchor1 eq_anchor2"),
    Buffer("eq_q", "vec4", "neq", "eq_quat1 eq_quat2"),
    Buffer("eq_r", "real", "neq",
        "eq_solref:2 eq_solimp:5 eq_polycoef:5 eq_torquescale",
    ),
    Buffer("residual_i", "int", "nresidual",  # dynamics/residual.py
        "residual_kind residual_num residual_intadr residual_prmadr residual_passive",
    ),
    Buffer("residual_r", "real", "nresidual", "residual_speed residual_power"),
    Buffer("residual_int", "int", "nresidualint"),
    Buffer("site_i", "int", "nsite", "site_bodyid site_type"),
    Buffer("site_v", "vec3", "nsite", "site_pos site_size"),
    Buffer("site_quat", "vec4", "nsite"),
    Buffer("tendon_i", "int", "ntendon",
        "tendon_limited tendon_actfrclimited tendon_adr tendon_num ten_J_rowadr ten_J_rownnz tendon_pairadr "
        "tendon_pairnum ten_spanadr ten_spannum ten_straight",
    ),
    Buffer("tendon_r", "real", "ntendon",
        "tendon_range:2 tendon_margin tendon_solref_lim:2 tendon_solimp_lim:5 tendon_solref_fri:2 tendon_solimp_fri:5 "
        "tendon_stiffnesspoly:2 tendon_dampingpoly:2 tendon_actfrcrange:2",
    ),
    Buffer("wrap_i", "int", "nwrap", "wrap_qposadr wrap_entry"),
    Buffer("span_i", "int", "nspan", "span_site1 span_site2 span_geom span_side span_pulley span_top"),
    Buffer("ten_J_colind", "int", "nJten"),
    Buffer("couple", "int", "ncouple", "couple_deep couple_above couple_at"),  # model/tendons.py
    Buffer("act_i", "int", "nu",
        "actuator_trntype actuator_trnid actuator_dyntype actuator_actadr actuator_ctrllimited actuator_forcelimited "
        "actuator_actlimited actuator_wrap actuator_arm actuator_early actuator_gaintype actuator_biastype",
    ),
    Buffer("act_r", "real", "nu",
        "actuator_tau actuator_ctrlrange:2 actuator_forcerange:2 actuator_actrange:2 actuator_cranklength",
    ),
    Buffer("muscle", "real", "nmuscle",  # dynamics/muscle.py
        "muscle_dynprm:3 muscle_lengthrange:2 muscle_gaincurve:6 muscle_biascurve:6",
    ),
    Buffer("pid", "real", "npid", "pid_imax pid_slew pid_ki"),  # dynamics/pid.py
    Buffer("motor_i", "int", "nmotor",  # dynamics/dcmotor.py
        "motor_input:4 motor_first motor_states motor_slew motor_integral motor_heat motor_bristle motor_current "
        "motor_controlled",
    ),
    Buffer("motor_r", "real", "nmotor", "motor_dyn:9 motor_gain:6 motor_bias:6"),
    Buffer("so3_i", "int", "nso3", "so3_first so3_quat so3_within"),  # dynamics/orientation.py
    Buffer("delay_i", "int", "ndelay", "delay_num delay_adr delay_from:3"),  # dynamics/delay.py
    Buffer("delay_weight", "real", "ndelay", "delay_weight:12"),
    Buffer("rest_i", "int", "nrestjoint", "jnt_rest"),  # dynamics/plastic.py
    Buffer("rest_r", "real", "nrestjoint", "jnt_yield"),
    Buffer("ten_rest", "int", "nresttendon"),
    Buffer("ten_yield", "real", "nresttendon"),
    Buffer("late_i", "int", "nlate",  # of numbers of sensordata (dynamics/sensor_delay.py)
        "late_num late_adr late_from late_clock late_owner late_times late_interp",
    ),
    Buffer("late_r", "real", "nlate", "late_weight:4 late_cutoff late_delay late_period late_start"),
    Buffer("sleep_tree", "int", "nsleeptree", "sleep_policy sleep_start"),  # dynamics/sleep.py
    Buffer("sleep_body", "int", "nsleepbody"),
    Buffer("sleep_qpos", "int", "nsleepqpos"),
    Buffer("sleep_length", "real", "nsleepdof"),
    Buffer("sleep_tendon", "int", "nsleeptendon", "ten_tree1 ten_tree2"),
    Buffer("sleep_eq", "int", "nsleepeq", "eq_tree1 eq_tree2"),
    Buffer("sleep_sensor", "int", "nsleepsensor", "sensor_tree1 sensor_tree2 sensor_held"),
    Buffer("late_time", "real", "nlatetime"),  # of clocks' values, when the first ones were taken
    Buffer("arm_i", "int", "narm", "arm_actuator arm_common"),
    Buffer("arm_side", "int", "narmsite", "arm_body arm_site"),  # of an arm's two sites
    Buffer("arm_pos", "vec3", "narmsite"),
    Buffer("arm_quat", "vec4", "narmsite"),
    Buffer("sensor_i", "int", "nsensor",
        "sensor_type sensor_level sensor_objtype sensor_objid sensor_reftype sensor_refid sensor_bodyid "
        "sensor_refbodyid sensor_relative sensor_dim sensor_adr sensor_pair sensor_intprm:3 sensor_pixels "
        "sensor_columns sensor_camera sensor_refcamera",
    ),
    Buffer("camera_i", "int", "ncam", "cam_siteid cam_mode cam_targetbodyid"),  # sensing/camera.py
    Buffer("cam_pos0", "vec3", "ncam"),
    Buffer("cam_quat0", "vec4", "ncam"),
    Buffer("sensor_cut", "real", "nsensor",
        "sensor_cutoff sensor_clip",  # the latter of what is cut off now, not where it is read later (sensor_delay.py)
    ),
    # sensing/image.py; half of what a camera without perspective sees, or 0
    Buffer("sensor_lens", "real", "nlens", "lens_focal:2 lens_middle:2 lens_extent"),
    Buffer("sensor_v", "vec3", "nsensor", "sensor_pos sensor_refpos"),  # in their bodies: the frame that it reads ...
    Buffer("sensor_q", "vec4", "nsensor", "sensor_quat sensor_refquat"),  # ... and that whose axes it reads in
)

# State: exactly what a step reads and does not recompute.
STATE = (
    Buffer("time", "real", "one"),
    Buffer("qpos", "real", "nq"),
    Buffer("qvel", "real", "nv"),
    Buffer("act", "real", "na"),
    Buffer("ctrl", "real", "nu"),
    Buffer("mocap_pos", "vec3", "nmocap"),
    Buffer("mocap_quat", "vec4", "nmocap"),
    Buffer("eq_active", "int", "neq"),
    Buffer("qacc_warmstart", "real", "nv"),
    Buffer("qfrc_applied", "real", "nv"),
    Buffer("xfrc_applied", "vec3", "nbody", "xfrc_applied:2"),  # force at the body's centre of mass, torque
)

OK, DIVERGED, OVERFLOW = range(3)  # status of a world

# Work: everything that a step recomputes.
WORK = (
    Buffer("world_i", "int", "one", "ncon nblock nrow status stop_step stop_index solver_niter nneed merged"),
    Buffer("world_r", "real", "one", "felt_within found_within"),  # of the pair at hand (contact/mixing.py)
    Buffer("body", "vec3", "nbody",
        "xpos xipos vel_ang vel_lin acc_ang acc_lin force_ang force_lin crb_com u_ang u_lin l_ang l_lin "
        "p_ang p_lin q_ang q_lin inertia_diag inertia_off crb_diag crb_off",
    ),
    Buffer("xquat", "vec4", "nbody"),
    Buffer("geom_xpos", "vec3", "ngeom"),
    Buffer("geom_xquat", "vec4", "ngeom"),
    Buffer("trees", "int", "nsleeptree", "tree_awake tree_next tree_link tree_ready tree_last"),  # dynamics/sleep.py
    Buffer("slept", "int", "nslept", "woken falling"),
    Buffer("camera_v", "vec3", "ncam", "cam_xpos cam_aim"),  # the latter what it follows or looks at
    Buffer("cam_xquat", "vec4", "ncam"),
    Buffer("crb_mass", "real", "nbody"),
    Buffer("dof", "vec3", "nv", "cdof_ang cdof_lin frame_ang frame_lin"),
    Buffer("dofr", "real", "nv",
        "qfrc_bias qfrc_passive qfrc_actuator qfrc_smooth qfrc_constraint qacc ma search msearch qacc_eff "
        "v_stage z mu a_bar sin cos", blocks=True,
    ),
    Buffer("M", "real", "nm"),  # mass matrix; where each row begins: dynamics/factor.py
    Buffer("MhD", "real", "nm"),  # M + h D, factored in place
    Buffer("H", "real", "nh"),  # the solver's Hessian, factored in place
    Buffer("lone", "real", "nlone"),  # free_body.py
    Buffer("MhU", "real", "nfull"),  # of M + h (C + D) what is above the diagonal, transposed: bias_slope.py, lu.py
    # of the integrator discrete (constraint/metric.py, constraint/discrete.py)
    Buffer("metric", "real", "nmetric",
        "mass_diag metric_diag metric_shift metric_bar mass_bar solved_acc untouched", blocks=True,
    ),
    Buffer("ten_metric", "real", "nmetrictendon", "ten_scale ten_shift"),
    Buffer("servo", "real", "nservo",
        "servo_kp servo_kv servo_kp_counts servo_kv_counts servo_kp_more servo_kv_more servo_input servo_velocity",
    ),
    Buffer("M_factored", "real", "nbackbone"),  # the metric as noslip and diagexact take it
    Buffer("M_exact", "real", "nexactM"),  # factored for exact diagonals, and the adjoint of M (constraint/exact.py)
    Buffer("M_bar", "real", "nexactM"),
    Buffer("con_implicit", "real", "nmetriccon", "con_share con_by_x con_by_v con_by_bias con_by_d"),
    Buffer("con_implicit_v", "vec3", "ndiagcon", "con_dd con_vel"),
    Buffer("chain_bar", "vec3", "ndiagcolumn"),  # the adjoint of con_J that diagonals ask
    Buffer("row_implicit", "real", "nmetricrow", "row_by_x row_by_v row_by_d"),
    Buffer("slope", "vec3", "nslope", "slope_p slope_n0 slope_n1 slope_n2"),
    Buffer("slope_dof", "vec3", "nslopedof", "sig_ang sig_lin"),
    Buffer("fluid", "vec3", "nfluid",
        "fluid_box fluid_omega fluid_u fluid_ang fluid_lin fluid_turn fluid_slide",
    ),
    Buffer("flow", "vec3", "nflowcolumn", "flow_ang flow_lin"),
    Buffer("etree", "int", "nv", "tree_parent tree_run tree_depth tree_row"),  # elimination tree of H
    Buffer("islands", "int", "nv", "tree_root tree_stale tree_block tree_path tree_rank tree_dof"),  # islands.py
    Buffer("along", "real", "ld"),  # of the dofs on a path of the elimination tree, where H is solved
    Buffer("order", "int", "ntree", "order_first order_size order_degree order_left order_list"),  # order.py
    Buffer("order_link", "int", "nlink"),
    Buffer("sweep_order", "int", "nsweep"),  # swept geoms by their lower ends along the axis of the sweep
    Buffer("sweep_low", "real", "nsweep"),
    Buffer("near", "int", "nnear"),  # a bit for each pair, 16 in a number
    # adjoints of a contact's place (contact/collide.py)
    Buffer("bar_v", "vec3", "nplace", "bar_pos bar_normal bar_tangent1 bar_tangent2"),
    Buffer("bar_r", "real", "nplace", "bar_dist"),
    # of a feature (contact/size_vjp.py), or of a frame (dynamics/frame_leaves.py)
    Buffer("leaf_v", "vec3", "nframeleaf",
        "leaf_at leaf_force leaf_turn "
        "leaf_pa leaf_pl leaf_ea leaf_el leaf_omega leaf_u",  # of slopes in a fluid (dynamics/ellipsoid_frames.py)
    ),
    Buffer("leaf_r", "real", "nshapeleaf", "leaf_radius leaf_bar"),
    Buffer("clip_v", "vec3", "nclip"),  # box_box.py
    Buffer("clip_i", "int", "nclip"),
    # the search between two convex shapes (contact/gjk.py epa.py convex.py): what it is asked and finds ...
    Buffer("ccd_v", "vec3", "nccd",
        "ccd_pos1 ccd_pos2 ccd_size1 ccd_size2 ccd_dir ccd_x1 ccd_x2 ccd_n ccd_centre ccd_axis1 ccd_axis2 "
        "ccd_o1 ccd_o2 ccd_across1 ccd_across2 ccd_c1 ccd_c2 ccd_guess",
    ),
    Buffer("ccd_q", "vec4", "nccd", "ccd_quat1 ccd_quat2"),
    Buffer("ccd_r", "real", "nccd", "ccd_cutoff ccd_dist ccd_enough ccd_inflate1 ccd_inflate2 ccd_length ccd_scale"),
    Buffer("ccd_i", "int", "nccd",
        "ccd_discrete ccd_near1 ccd_near2 ccd_nsimplex ccd_separated ccd_inside ccd_count ccd_found ccd_kind1 "
        "ccd_kind2 ccd_ref ccd_face1 ccd_face2 ccd_start ccd_end ccd_candidate "
        "ccd_num1 ccd_num2 ccd_cap1 ccd_cap2 ccd_extent1 ccd_extent2 ccd_face ccd_flat ccd_lined ccd_fits "
        "ccd_told ccd_ends",
    ),
    # of each side its vertices in the simplex and the faces that meet in them
    Buffer("ccd_side", "int", "nccdside", "side_dim side_v0 side_v1 side_only side_begin side_count side_other"),
    # ... and its simplex, features and polytope
    Buffer("ccd_vertex_v", "vec3", "nccdvert", "ccd_vert ccd_vert1 ccd_vert2"),
    Buffer("ccd_vertex_r", "real", "nccdvert", "ccd_share"),
    Buffer("ccd_vertex_i", "int", "nccdvert", "ccd_index1 ccd_index2"),
    Buffer("ccd_foot", "vec3", "nccdface"),
    Buffer("ccd_foot2", "real", "nccdface"),
    Buffer("ccd_face_i", "int", "nccdface",
        "ccd_corner:3 ccd_next:3 ccd_place ccd_open ccd_rim ccd_rimedge ccd_stack",
    ),
    Buffer("prism", "vec3", "nprism"),  # contact/prism.py
    Buffer("con_prism", "int", "nfieldcon", "con_row con_col con_triangle"),
    Buffer("field_wrench", "vec3", "nfieldleaf", "field_at field_force field_turn"),
    Buffer("poly_v", "vec3", "npoly"),  # contact/polygon.py
    Buffer("poly_slope", "vec3", "npoly", "poly_lean poly_twist"),
    Buffer("poly_i", "int", "npoly", "poly_leave poly_cut poly_side"),
    Buffer("con_i", "int", "nconmax",
        "con_pair con_kind1 con_kind2 con_hinted con_body1 con_body2 con_ndof con_zone con_dim con_law con_last1 "
        "con_last2",
    ),
    Buffer("con_v", "vec3", "nconmax",
        "con_pos con_normal con_tangent1 con_tangent2 con_y con_jar con_jv con_force con_kd con_ko "
        "con_fbar",
    ),
    Buffer("con_r", "real", "nconmax",
        "con_dist con_r1 con_r2 con_d con_b con_bt con_kp con_imp con_impp con_mu1 con_mu2 con_x "
        "con_solref:2 con_solimp:5",
    ),
    # of their features (contact/witness.py), what the adjoint alone reads
    Buffer("con_feature", "vec3", "nconmax", "con_axis1 con_axis2 con_gap"),
    Buffer("con_corner", "vec3", "nnetted"),  # three corners of each shape (contact/corners.py)
    Buffer("con_rule_i", "int", "nconmax", "con_rule con_near con_face"),
    Buffer("con_rule_r", "real", "nconmax", "con_bend con_t con_tnear"),
    Buffer("con_equality", "vec3", "nconmax", "con_res con_jdotv"),  # of equalities
    # further rows of contacts with torsional and rolling friction (constraint/rolling.py)
    Buffer("con_turn", "vec3", "nrolling",
        "turn_jar turn_jv turn_force turn_kd turn_ko turn_p turn_q turn_fbar turn_y turn_ky turn_friction",
    ),
    Buffer("turn_J", "vec3", "nrollingcolumn"),
    # friction without slip (constraint/noslip.py): of the contact at hand, of all, and of each island at its first dof
    Buffer("slip", "real", "nslip", "slip_L:25 slip_b:5 slip_x:5 slip_y:5 slip_r:5 slip_f:5 slip_mu:5 slip_mean:5"),
    Buffer("slip_A", "real", "nslipping", "slip_A:25"),
    Buffer("island_i", "int", "nisland", "island_of island_active"),
    Buffer("island_r", "real", "nisland", "island_trace island_gain"),
    Buffer("line", "real", "nline", "line_alpha line_d1 line_d2 line_changed"),  # what their laws are asked, and answer
    # the dofs that move a contact's bodies against each other, deepest first
    Buffer("con_dof", "int", "ncolumn",
        "chain_dof chain_place",
    ),
    Buffer("con_match", "int", "nmatch"),  # how a contact matches the sensor at hand (sensing/contact.py)
    Buffer("con_J", "vec3", "ncolumn"),  # and their columns of its Jacobian
    Buffer("row_i", "int", "nrowmax", "row_dof row_kind row_zone"),
    Buffer("row_r", "real", "nrowmax",
        "row_sign row_aref row_d row_floss row_jar row_jv row_force row_k row_dist row_b row_kp row_imp "
        "row_impp",
    ),
    Buffer("tendon", "real", "ntendon", "ten_length ten_velocity ten_actfrc ten_actsum ten_slope"),
    Buffer("ten_J", "real", "nJten"),
    Buffer("ten_start", "real", "nresttendon"),  # of RK4's first stage: lengths and rows (dynamics/plastic.py)
    Buffer("ten_J_start", "real", "nrestJ"),
    Buffer("span_v", "vec3", "nspan", "span_x1 span_x2 span_p1 span_p2"),  # dynamics/path.py
    Buffer("span_r", "real", "nspan", "span_long span_arc span_sense span_phi"),
    Buffer("span_kind", "int", "nspan"),
    Buffer("arm_length", "real", "narm"),
    Buffer("arm_J", "real", "narmrow"),
    Buffer("turn", "real", "nturn", "turn_length turn_taken"),  # dynamics/turns.py
    Buffer("z_asked", "real", "narmdof"),  # what sensors of joints' actuator forces ask of z
    Buffer("arm_wrench", "vec3", "narmsite", "arm_p arm_f arm_t"),
    Buffer("act_dot", "real", "na"),
    Buffer("delay_stage", "int", "one"),  # which of its weights a delay takes: those of a stage's node
    Buffer("delay_ctrl", "real", "ndelay"),
    Buffer("muscle_work", "real", "nmuscle",
        "muscle_gain muscle_slope muscle_bias muscle_by_ctrl muscle_by_act muscle_stiff muscle_hold",
    ),
    Buffer("motor_work", "real", "nmotor",
        "motor_force motor_extra motor_slope motor_stiff motor_wave motor_length motor_velocity motor_c:4 motor_by_c:4 "
        "motor_by_s motor_reach",
    ),
    Buffer("motor_state", "real", "nmotorstate", "act_reach act_end"),  # of act_dot, and of the state
    Buffer("so3", "real", "nso3", "so3_input so3_length so3_velocity so3_force so3_free"),
    Buffer("rub", "real", "nrub"),  # constraint/friction_law.py
    Buffer("residual", "real", "nresidualwork"),  # forces, and a network's values
    Buffer("act_input", "real", "na"),
    Buffer("actuator_force", "real", "nu"),
    Buffer("sensordata", "real", "nsensordata"),
    Buffer("late_now", "real", "nlate"),
    Buffer("stage", "real", "nstage"),  # RK4: the stages' velocities and accelerations, and the start state
)

# Adjoint of the state and the parameters, and scratch of the reverse step.
ADJOINT = (
    Buffer("body_bar", "vec3", "nbody",
        "l_ang l_lin acc_ang acc_lin u_ang u_lin vel_ang vel_lin pose_ang pose_lin p_ang p_lin q_ang "
        "q_lin",
    ),
    Buffer("axis_bar", "vec3", "naxis", "axis_ang axis_lin"),  # of the dofs' axes: constraint/discrete.py, arm.py
    Buffer("slope_bar", "vec3", "nslope", "e_ang e_lin r_ang r_lin"),
    Buffer("taken_pose", "vec3", "ntaken", "taken_ang taken_lin"),  # of what goes to q by itself: dynamics/taken.py
    Buffer("taken_axis", "vec3", "ntakendof", "taken_axis_ang taken_axis_lin"),
    Buffer("qpos_bar", "real", "nv"),  # in the tangent space
    Buffer("qvel_bar", "real", "nv"),
    Buffer("act_bar", "real", "na"),
    Buffer("ctrl_bar", "real", "nu"),
    Buffer("camera_bar", "vec3", "ncam", "cam_force cam_turn"),
    Buffer("mocap_bar", "vec3", "nmocap", "mocap_place_bar mocap_turn_bar"),  # of the control step; about its own axes
    Buffer("force_bar", "real", "nu"),  # of actuator forces that sensors read
    Buffer("tendon_bar", "real", "ntendon", "ten_length_bar ten_velocity_bar ten_actfrc_bar ten_slope_bar"),
    Buffer("ten_J_bar", "real", "nJten"),
    Buffer("ten_end_bar", "real", "nresttendon"),  # of the lengths after the step by which rests yield
    Buffer("pid_bar", "real", "npidbar"),  # of act_dot
    Buffer("delay_kept", "real", "ndelay"),
    Buffer("late_kept", "real", "nlate"),
    Buffer("muscle_bar", "real", "nmuscle",
        "muscle_gain_bar muscle_slope_bar muscle_bias_bar muscle_stiff_bar muscle_hold_bar",
    ),
    Buffer("motor_bar", "real", "nmotor",
        "motor_force_bar motor_extra_bar motor_slope_bar motor_stiff_bar motor_wave_bar motor_reach_bar",
    ),
    Buffer("reach_bar", "real", "nmotorstate"),
    Buffer("so3_bar", "real", "nso3", "so3_force_bar so3_input_bar so3_length_bar so3_velocity_bar"),
    Buffer("arm_bar", "real", "narm", "arm_length_bar arm_z arm_v"),
    Buffer("arm_J_bar", "real", "narmrow"),
    Buffer("servo_bar", "real", "nservo", "servo_kp_bar servo_kv_bar"),
    Buffer("arm_wrench_bar", "vec3", "narmsite", "arm_p_bar arm_f_bar arm_t_bar"),
    Buffer("rub_bar", "real", "nrub"),
    Buffer("residual_bar", "real", "nresidualbar"),  # of qpos in its own coordinates, and of a network's values
    Buffer("qfrc_bar", "real", "nv"),  # of qfrc_applied and xfrc_applied, over all steps in which they act
    Buffer("xfrc_bar", "vec3", "nbody", "xfrc_bar:2"),
    Buffer("theta_bar", "real", "ntheta"),
    Buffer("stage_bar", "real", "nstage"),
    Buffer("params_bar", "real", "nparam"),
    Buffer("scratch_bar", "real", "nscratch"),
)

# Rollout: outputs by output row and world, controls and poses of mocap bodies by control step and world, records by
# physics step and world.
TRAJECTORY = (
    Buffer("traj_qpos", "real", "nq"),
    Buffer("traj_qvel", "real", "nv"),
    Buffer("traj_act", "real", "na"),
    Buffer("traj_ctrl", "real", "nu"),
    Buffer("traj_mocap_pos", "vec3", "nmocap"),
    Buffer("traj_mocap_quat", "vec4", "nmocap"),
    Buffer("traj_sensordata", "real", "nsensordata"),
    Buffer("record", "real", "nrecord"),
)

COTANGENT = (
    Buffer("cot_qpos", "real", "nv"),
    Buffer("cot_qvel", "real", "nv"),
    Buffer("cot_act", "real", "na"),
    Buffer("cot_ctrl", "real", "nu"),
    Buffer("cot_sensordata", "real", "nsensordata"),
    Buffer("ctrl_total", "real", "nu"),
    Buffer("mocap_total", "vec3", "nmocap", "mocap_place_total mocap_turn_total"),
)

# Linearisation of a step: rows of derivatives by q, v, act and ctrl (linearized.py), and A and B.
LINEAR = (
    Buffer("lin_dof", "vec3", "nv", "psi_ang psi_lin phi_ang phi_lin sig_ang sig_lin kap_ang kap_lin ome_ang ome_lin"),
    Buffer("lin_body", "vec3", "nbody", "cf_ang cf_lin cw_ang cw_lin cp cn0 cn1 cn2"),
    # what contacts of bodies with what cannot move add up to, for each body (dynamics/touched.py)
    Buffer("lin_touch", "vec3", "nbody", "touch_x:12 touch_u:12 touch_ang touch_lin"),
    Buffer("touched", "real", "nbody"),  # whether there are any; of the world's body, their B
    Buffer("lin_con", "vec3", "sides", "cx_ang cx_lin cu_ang cu_lin cv_ang cv_lin"),
    Buffer("lin_J", "vec3", "nv"),  # a contact's Jacobian, by dof
    Buffer("lin_turn", "vec3", "nlinturn"),  # and that of its further rows
    Buffer("lin_rows", "real", "nlinear"),
    Buffer("lin_end", "real", "nrestlinear"),  # what those lengths are by qpos
    Buffer("lin_A", "real", "nstate2"),
    Buffer("lin_B", "real", "nstatenu"),
)

# Controller: parts that add up (engine/feedback.py).
CONTROLLER = (
    Buffer("part", "int", "npart", "part_kind part_to part_params part_ints part_size part_step part_rest:2"),
    Buffer("ints", "int", "nint"),
    Buffer("params", "real", "nparam"),
    Buffer("scratch", "real", "nscratch"),
)

# Names are unique over all packs: Taichi binds the members of a kernel's packs by name.
PACKS = {
    "model": MODEL,
    "data": STATE + WORK,
    "controller": CONTROLLER,
    "trajectory": TRAJECTORY,
    "adjoint": ADJOINT,
    "cotangent": COTANGENT,
    "linear": LINEAR,
}

# Which pack a letter stands for, everywhere in device code.
LETTERS = {
    "m": "model", "d": "data", "c": "controller", "r": "trajectory", "g": "adjoint", "b": "cotangent", "l": "linear"
}  # fmt: skip


def parameters_of(letter, buffer):
    """The parameters that lie in a buffer and are read there: of the model those that always are."""
    if buffer.count == "nfollowing":
        return FOLLOWING
    return () if buffer.count != "ntheta" else THETA if letter == "m" else THETA + LEAVES


# {(letter, name): its buffer}, name being that of the buffer, of a column, of a size or of an option
PLACES = {
    (letter, name): b for letter, p in LETTERS.items() for b in PACKS[p]
    for name in (b.name, *b.columns, *(p.name for p in parameters_of(letter, b)))
}  # fmt: skip


def start(letter, name):
    """Where a column begins within the numbers of an entity."""
    return PLACES[letter, name].columns[name].start


# columns that lie among others of the same entity
SHARED = {name for p in PACKS.values() for b in p if len(b.columns) > 1 and b.count != "one" for name in b.columns}
# (letter, buffer): its number in the table of where buffers begin, which every kernel takes (launch.py, stages.py).
NUMBERS = {use: k for k, use in enumerate((letter, b.name) for letter, p in LETTERS.items() for b in PACKS[p])}
# Behind them: how far the parameters of a world are from those of the next, 0 where worlds share them, and so what
# follows from them.
STRIDES = {"theta": "stride", "following": "following_stride"}
# And of buffers that leaves lie in, or what follows from them (leaves.py), where worlds have leaves of their own (the
# feature own_leaf).
OWN_LEAVES = {n: f"{n}_stride" for n in (
    "body_v", "body_q", "jnt_v", "jnt_r", "dof_r", "geom_v", "geom_quat", "geom_surface", "geom_box", "geom_reach",
    "flow_v", "flow_r", "flow_by_size", "geom_r", "own_r", "hfield_size", "hfield_data", "sweep_radius", "eq_v", "eq_q",
    "eq_r", "site_v", "site_quat", "tendon_r", "act_r", "muscle", "pid", "motor_r", "arm_pos", "arm_quat", "sensor_v",
    "sensor_q",
)}  # fmt: skip
NUMBERS |= {("m", name): k for k, name in enumerate((*STRIDES.values(), *OWN_LEAVES.values()), len(NUMBERS))}


def kind_of(buffer):
    """Which block of its pack holds a buffer: that of integers or that of real numbers."""
    return "int" if buffer.dtype == "int" else "real"


def kinds_of(letter):
    """The blocks that a pack has, in the order in which kernels take them."""
    return sorted({kind_of(b) for b in PACKS[LETTERS[letter]]})
